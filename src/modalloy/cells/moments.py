"""The moment that a cell holds, and how a column writes its dates."""

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from numbers import Real
from typing import Any, Literal

import numpy as np

from modalloy.cells.cells import empty
from modalloy.cells.missing_markers import says_nothing

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
