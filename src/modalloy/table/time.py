"""Cells that hold a date in, cycles and a trend out."""

import math
import re
from collections.abc import Sequence
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
    """Sine and cosine of each cycle, days since the median training day, days since another date.

    Days are squashed as numbers are. Those since the median stop at the first and the last training
    day: a network's answer beyond them is an accident of its weights. Clock times are taken as they
    are written: a time zone is left aside, because the hour of the shift matters and not the one in
    Greenwich. center, scale and edges are days since the year 1; gap holds the center and scale of
    the days from `since` to this date.
    """

    kind: ClassVar[str] = "time"
    cycles: tuple[str, ...]
    center: float
    scale: float
    edges: tuple[float, float]
    since: str | None = None
    gap: tuple[float, float] = (0.0, 1.0)

    @classmethod
    def fit(cls, name: str, options: config.Time, cells: Cells) -> Self:
        """Median and spread of training days; TableError where no cell is a date."""
        moments = [m for m in map(to_moment, cells[name]) if m is not None]
        days = np.array([_days(m) for m in moments if isinstance(m, datetime)])
        if not moments:
            raise all_missing(name, cells)
        if not len(days):
            raise TableError(f"column '{name}' holds no date: {moments[0]}")
        edges = float(days.min()), float(days.max())
        gaps = _gaps(cells[name], cells[options.since]) if options.since else np.zeros(1)
        known = gaps[np.isfinite(gaps)]
        if not len(known):
            raise TableError(
                f"columns '{name}' and '{options.since}' hold dates together in no training row; "
                f"take since: {options.since} away"
            )
        return cls(name, options.cycles, *robust(days), edges, options.since, robust(known))

    @property
    def columns(self) -> tuple[str, ...]:
        """The dates, and those that days are counted from."""
        return (self.name,) if self.since is None else (self.name, self.since)

    @property
    def width(self) -> int:
        """Numbers that describe one moment."""
        return 2 * len(self.cycles) + (1 if self.since is None else 3)

    def read(self, cells: Cells) -> Read:
        """Values x (B, F) float32 with F = 2 * cycles + 1, and 2 more for the days since a date.

        Where that date is absent the two are zeros; else the squashed days and a one.
        """
        x_BF = np.zeros((len(cells), self.width), dtype=np.float32)
        status = []
        for row, cell in enumerate(cells[self.name]):
            moment = to_moment(cell)
            if isinstance(moment, datetime):
                x_BF[row, : 2 * len(self.cycles) + 1] = self._describe(moment)
            status.append(
                "missing"
                if moment is None
                else "ok"
                if isinstance(moment, datetime)
                else f"unreadable: {moment}"
            )
        if self.since is not None:
            gaps = _gaps(cells[self.name], cells[self.since])
            known = np.isfinite(gaps)
            x_BF[known, -2] = squash(gaps[known], *self.gap)
            x_BF[known, -1] = 1.0
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
        days = np.clip(_days(moment), *self.edges)
        trend = float(squash(days, self.center, self.scale))
        return [f(t) for t in turns for f in (math.sin, math.cos)] + [trend]


def _gaps(cells: Sequence[Any], since: Sequence[Any]) -> np.ndarray:
    """Days from one date to the other, NaN where either is absent."""
    pairs = [(to_moment(a), to_moment(b)) for a, b in zip(cells, since, strict=True)]
    return np.array(
        [
            _days(a) - _days(b) if isinstance(a, datetime) and isinstance(b, datetime) else np.nan
            for a, b in pairs
        ]
    )


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
