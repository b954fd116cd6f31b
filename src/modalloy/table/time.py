"""Cells that hold a date in, cycles and a trend out."""

import math
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Self

import numpy as np

from modalloy import config
from modalloy.errors import TableError
from modalloy.table.number import all_missing, robust, squash
from modalloy.table.reader import Cells, Read, Reader, empty


@dataclass(frozen=True)
class TimeReader(Reader):
    """Sine and cosine of each cycle, then the days since the median training day, squashed.

    Clock times are taken as they are written: a time zone is left aside, because the hour of the
    shift matters and not the one in Greenwich. center and scale are days since the year 1.
    """

    kind: ClassVar[str] = "time"
    cycles: tuple[str, ...]
    center: float
    scale: float

    @classmethod
    def fit(cls, name: str, options: config.Time, cells: Cells) -> Self:
        """Median and spread of training days; TableError where no cell is a date."""
        moments = [m for m in map(to_moment, cells[name]) if m is not None]
        days = np.array([_days(m) for m in moments if isinstance(m, datetime)])
        if not moments:
            raise all_missing(name, cells)
        if not len(days):
            raise TableError(f"column '{name}' holds no date: {moments[0]}")
        return cls(name, options.cycles, *robust(days))

    @property
    def width(self) -> int:
        """Numbers that describe one moment."""
        return 2 * len(self.cycles) + 1

    def read(self, cells: Cells) -> Read:
        """Values x (B, F) float32 with F = 2 * cycles + 1."""
        x_BF = np.zeros((len(cells), self.width), dtype=np.float32)
        status = []
        for row, cell in enumerate(cells[self.name]):
            moment = to_moment(cell)
            if isinstance(moment, datetime):
                x_BF[row] = self._describe(moment)
            status.append(
                "missing"
                if moment is None
                else "ok"
                if isinstance(moment, datetime)
                else f"unreadable: {moment}"
            )
        return Read({"x": x_BF}, np.array([s == "ok" for s in status], dtype=bool), status)

    def _describe(self, moment: datetime) -> list[float]:
        day = _days(moment) % 1.0
        year_days = 366 if _leap(moment.year) else 365
        share = {
            "day": day,
            "week": (moment.weekday() + day) / 7,
            "year": (moment.timetuple().tm_yday - 1 + day) / year_days,
        }
        turns = [2 * math.pi * share[c] for c in self.cycles]
        trend = float(squash(np.array(_days(moment)), self.center, self.scale))
        return [f(t) for t in turns for f in (math.sin, math.cos)] + [trend]


def to_moment(cell: Any) -> datetime | str | None:
    """The clock time of a date, timestamp or ISO text (also 2024-05, 2024/05/31 and 31.05.2024).

    None where the cell is empty; a sentence where it is no date. 05/04/2024 means two things and
    is refused.
    """
    if isinstance(cell, np.datetime64):
        cell = cell.astype("datetime64[us]").item()
    if empty(cell):
        return None
    if isinstance(cell, datetime):
        return cell.replace(tzinfo=None)
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day)
    if isinstance(cell, str):
        try:
            return datetime.fromisoformat(_iso(cell.strip())).replace(tzinfo=None)
        except ValueError:
            pass
    return f"{cell!r:.60} is no date; write it as 2024-05-31 or 2024-05-31 14:30"


def _iso(text: str) -> str:
    text = re.sub(r"^(\d{4})/(\d{1,2})/(\d{1,2})", r"\1-\2-\3", text)
    text = re.sub(r"^(\d{1,2})\.(\d{1,2})\.(\d{4})", r"\3-\2-\1", text)
    text = re.sub(r"^(\d{4})-(\d{1,2})$", r"\1-\2-01", text)
    return re.sub(r"^(\d{4})-(\d{1,2})-(\d{1,2})\b", _two_digits, text)


def _two_digits(found: re.Match[str]) -> str:
    year, month, day = found.groups()
    return f"{year}-{month:>02}-{day:>02}"


def _days(moment: datetime) -> float:
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6
    return moment.toordinal() + seconds / 86_400


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
