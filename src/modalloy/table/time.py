"""Cells that hold a date in, cycles and a trend out."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from numbers import Real
from typing import Any, ClassVar, Literal, Self

import numpy as np

from modalloy import config
from modalloy.errors import TableError
from modalloy.table.marks import says_nothing
from modalloy.table.number import all_missing, robust, squash
from modalloy.table.reader import Cells, Read, Reader, empty

Form = Literal[
    "iso", "day_first", "month_first", "yyyymmdd", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns"
]
SLASHED = re.compile(r"^(\d{1,2})[/-](\d{1,2})[/-](\d{4})\b")
DIGITS = re.compile(r"[0-9]{8,19}(\.[0-9]*)?")  # a number that may stand for a time
# Numbers that stand for the years 1900 to 2100, from 1990 on where they count from 1970.
SPANS: dict[Form, tuple[float, float]] = {
    "yyyymmdd": (19_000_101, 21_001_231),
    "epoch_s": (631_152_000, 4_133_980_799),
    "epoch_ms": (631_152_000_000, 4_133_980_799_999),
    "epoch_us": (631_152_000_000_000, 4_133_980_799_999_999),
    "epoch_ns": (631_152_000_000_000_000, 4_133_980_799_999_999_999),
}
PER_SECOND = {"epoch_s": 1, "epoch_ms": 10**3, "epoch_us": 10**6, "epoch_ns": 10**9}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True)
class TimeReader(Reader):
    """Sine and cosine of each cycle, days since the median training day, days since another date.

    Days are squashed as numbers are. Those since the median stop at the first and the last training
    day: a network's answer beyond them is an accident of its weights. Clock times are taken as they
    are written: a time zone is left aside, because the hour of the shift matters and not the one in
    Greenwich. center, scale and edges are days since the year 1; gap holds the center and scale of
    the days from `since` to this date. forms: how the training cells of each of `columns` are
    written, so that one row reads alone as it does among others.
    """

    kind: ClassVar[str] = "time"
    cycles: tuple[str, ...]
    center: float
    scale: float
    edges: tuple[float, float]
    since: str | None = None
    gap: tuple[float, float] = (0.0, 1.0)
    forms: tuple[Form, ...] = ("iso", "iso")

    @classmethod
    def fit(cls, name: str, options: config.Time, cells: Cells) -> Self:
        """Median and spread of training days; TableError where no cell is a date."""
        names = (name,) if options.since is None else (name, options.since)
        forms = tuple(date_form(cells[n]) for n in names)
        moments = [m for c in cells[name] if (m := to_moment(c, forms[0])) is not None]
        days = np.array([_days(m) for m in moments if isinstance(m, datetime)])
        if not moments:
            raise all_missing(name, cells)
        if not len(days):
            raise TableError(f"column '{name}' holds no date: {moments[0]}")
        edges = float(days.min()), float(days.max())
        gaps = _gaps(cells, names, forms) if options.since else np.zeros(1)
        known = gaps[np.isfinite(gaps)]
        if not len(known):
            raise TableError(
                f"columns '{name}' and '{options.since}' hold dates together in no training row; "
                f"take since: {options.since} away"
            )
        return cls(name, options.cycles, *robust(days), edges, options.since, robust(known), forms)

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
            moment = to_moment(cell, self.forms[0])
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
            gaps = _gaps(cells, self.columns, self.forms)
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


def _gaps(cells: Cells, names: tuple[str, ...], forms: tuple[Form, ...]) -> np.ndarray:
    """Days from the second date to the first, NaN where either is absent."""
    first, second = (
        [to_moment(c, form) for c in cells[name]] for name, form in zip(names, forms, strict=True)
    )
    pairs = zip(first, second, strict=True)
    return np.array(
        [
            _days(a) - _days(b) if isinstance(a, datetime) and isinstance(b, datetime) else np.nan
            for a, b in pairs
        ]
    )


def date_form(cells: Iterable[Any]) -> Form:
    """How a column writes its dates, judged by all of its cells.

    05/04/2024 means two things; a column of such dates is read where some part is above 12 and so
    can be no month. Numbers that are all in one of SPANS are such times. Anything else is "iso".
    """
    numbers, firsts, seconds = [], [0], [0]
    for cell in cells:
        if isinstance(cell, str):
            if found := SLASHED.match(cell.strip()):
                firsts.append(int(found[1]))
                seconds.append(int(found[2]))
            elif DIGITS.fullmatch(cell.strip()):
                numbers.append(float(cell))
        elif isinstance(cell, Real) and not empty(cell):
            numbers.append(float(cell))
    for form, (low, high) in SPANS.items():
        if numbers and all(low <= n <= high for n in numbers):
            return form
    if (max(firsts) > 12) == (max(seconds) > 12):
        return "iso"
    return "day_first" if max(firsts) > 12 else "month_first"


def to_moment(cell: Any, form: Form = "iso") -> datetime | str | None:
    """The clock time of a date, timestamp or text (2024-05, 2024/05/31, 31.05.2024, 31-May-2024).

    form: what `date_form` says of the column; without it numbers are no dates, and 05/04/2024 is
    refused because it means two things. None where the cell is empty or a mark for no value; a
    sentence where it is no date.
    """
    if isinstance(cell, np.datetime64):
        cell = cell.astype("datetime64[us]").item()
    if empty(cell) or says_nothing(cell):
        return None
    if isinstance(cell, datetime):
        return cell.replace(tzinfo=None)
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day)
    try:
        if isinstance(cell, str) and form in SPANS and DIGITS.fullmatch(cell.strip()):
            return _counted(float(cell), form)
        if isinstance(cell, str):
            return datetime.fromisoformat(_iso(cell.strip(), form)).replace(tzinfo=None)
        if isinstance(cell, Real) and form in SPANS:
            return _counted(float(cell), form)
    except ValueError:
        pass
    return f"{cell!r:.60} is no date; write it as 2024-05-31 or 2024-05-31 14:30"


def _counted(number: float, form: Form) -> datetime:
    """The time that a number stands for. Raises ValueError."""
    low, high = SPANS[form]
    if not low <= number <= high:
        raise ValueError(number)
    if form == "yyyymmdd":
        return datetime.strptime(f"{number:.0f}", "%Y%m%d")
    return datetime(1970, 1, 1) + timedelta(seconds=number / PER_SECOND[form])


def _iso(text: str, form: Form) -> str:
    """The text as ISO 8601 has it, where it is a date; a clock of twelve hours as one of 24."""
    if form == "day_first":
        text = SLASHED.sub(r"\3-\2-\1", text)
    elif form == "month_first":
        text = SLASHED.sub(r"\3-\1-\2", text)
    text = re.sub(r"^(\d{1,2})[- ]([A-Za-z]{3})[- ](\d{4})", _named_month, text)
    text = re.sub(r"^(\d{4})/(\d{1,2})/(\d{1,2})", r"\1-\2-\3", text)
    text = re.sub(r"^(\d{1,2})\.(\d{1,2})\.(\d{4})", r"\3-\2-\1", text)
    text = re.sub(r"^(\d{4})-(\d{1,2})$", r"\1-\2-01", text)
    text = re.sub(r"^(\d{4})-(\d{1,2})-(\d{1,2})\b", _two_digits, text)
    text = re.sub(r"(?<=[T ])(\d:)", r"0\1", text)
    return re.sub(r"\b(\d\d)((?::\d\d)+) ?([AaPp])[Mm]$", _of_24_hours, text)


def _named_month(found: re.Match[str]) -> str:
    day, month, year = found.groups()
    if month.lower() not in MONTHS:
        return found[0]
    return f"{year}-{MONTHS.index(month.lower()) + 1}-{day}"


def _of_24_hours(found: re.Match[str]) -> str:
    hour, rest, half = found.groups()
    if not 1 <= int(hour) <= 12:
        return found[0]
    return f"{int(hour) % 12 + (12 if half in 'Pp' else 0):02d}{rest}"


def _two_digits(found: re.Match[str]) -> str:
    year, month, day = found.groups()
    return f"{year}-{month:>02}-{day:>02}"


def _days(moment: datetime) -> float:
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6
    return moment.toordinal() + seconds / 86_400


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
