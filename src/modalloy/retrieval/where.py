"""Filters on columns of a table: `line=3`, `site!=north`, `load=2..5`, `day>=2024-02`."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np

from modalloy.cells.moments import date_form, to_moment
from modalloy.cells.numbers import to_number
from modalloy.errors import TableError
from modalloy.job.options import did_you_mean
from modalloy.table.table import Table

FORM = re.compile(r"\s*(?P<column>.+?)\s*(?P<sign>!=|>=|<=|=|>|<)\s*(?P<value>.*?)\s*")
RANGE = re.compile(r"(?P<low>[^.]*(?:\.\d+)?)\.\.(?P<high>.*)")

DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d(?:[T ]\d\d(?::\d\d(?::\d\d(?:\.\d{1,6})?)?)?)?)?)?")


class Span(NamedTuple):
    """What one typed value covers, both ends within: a number alone, a date all that it holds."""

    low: float
    high: float


class Filter(NamedTuple):
    """One condition on a column: its sign and what stands behind it."""

    column: str
    sign: str
    value: str

    def __str__(self) -> str:
        return f"{self.column}{self.sign}{self.value}"


def read_filter(text: str) -> Filter:
    """The filter that a text says; TableError where it says none."""
    found = FORM.fullmatch(text)
    if found is None or not found["value"]:
        raise TableError(
            f"where: '{text}' is no condition; write a column, a sign and a value, as in line=3, "
            "load=2..5, site!=north or hours>=100."
        )
    if between(found["value"]) and found["sign"] not in ("=", "!="):
        raise TableError(f"where: '{text}' asks for a range, which stands behind = or != alone.")
    return Filter(found["column"], found["sign"], found["value"])


def allowed(table: Table, filters: Sequence[Filter]) -> np.ndarray | None:
    """Which rows meet all filters, (N,) bool; None without one.

    A row whose cell is empty meets none, not even `!=`. In a column of times a date stands for the
    whole year, month, day, hour or minute that it names: `=` means within it, and a range goes to
    its end. TableError for a column that the table lacks, and for a range of a column without
    numbers.
    """
    if not filters:
        return None
    out_N = np.ones(table.rows, dtype=bool)
    for one in filters:
        if one.column not in table.columns:
            have = list(table.columns)
            raise TableError(
                f"where: the table has no column '{one.column}'.{did_you_mean(one.column, have)} "
                f"It has {', '.join(have[:12])}{' and more' if len(have) > 12 else ''}."
            )
        out_N &= meets(table, one)
    return out_N


def meets(table: Table, one: Filter) -> np.ndarray:
    """Which rows meet one filter, (N,) bool."""
    ends = between(one.value)
    texts = ends or (one.value, one.value)
    cells_N = times_of(table, one.column, [t for t in texts if t])
    dated = cells_N is not None
    if cells_N is None:
        if ends is None and one.sign in ("=", "!="):
            return says(table, one)
        cells_N = numbers_of(table, one)
    spans = [span(t, one, table.decimal, dated=dated) if t else None for t in texts]
    low = spans[0].low if spans[0] else -np.inf
    high = spans[1].high if spans[1] else np.inf
    with np.errstate(invalid="ignore"):
        inside_N = (cells_N >= low) & (cells_N <= high)
        ways = {
            "=": inside_N,
            "!=": ~inside_N & np.isfinite(cells_N),
            ">=": cells_N >= low,
            "<=": cells_N <= high,
            ">": cells_N > high,
            "<": cells_N < low,
        }
        return ways[one.sign]


def says(table: Table, one: Filter) -> np.ndarray:
    """Which rows say a value, or another one, (N,) bool."""
    codes_N, values = table.codes(one.column)
    same = np.array([equal(v, one.value, table.decimal) for v in values], dtype=bool)
    same_N = np.append(same, False)[codes_N]  # -1, which has nothing, is the last one
    return same_N if one.sign == "=" else ~same_N & (codes_N >= 0)


def times_of(table: Table, column: str, texts: Sequence[str]) -> np.ndarray | None:
    """The cells of a column of times as seconds since 1970, NaN where there is none, (N,).

    None where it holds no times. A column of texts or of numbers holds some where dates are asked
    for and all its cells are dates; a bare number asks a column of numbers for that number.
    """
    kind = table.kind(column)
    if kind == "time":
        return table.moments(column)
    if kind not in ("text", "number") or not all(map(interval, texts)):
        return None
    if kind == "text":
        try:
            table.numbers(column)
        except TableError:
            try:
                return table.moments(column)
            except TableError:
                return None
    if any(to_number(t, ".") is not None for t in texts):
        return None
    cells = table.written(column)
    found = [to_moment(c, date_form(cells)) for c in cells]
    if any(isinstance(m, str) for m in found):
        return None
    seconds = [np.nan if m is None else seconds_of(np.datetime64(m)) for m in found]  # no str left
    return np.array(seconds, dtype=np.float64)


def numbers_of(table: Table, one: Filter) -> np.ndarray:
    """The cells of a column as numbers, NaN where there is none, (N,)."""
    if table.kind(one.column) not in ("number", "bool", "text"):
        raise TableError(
            f"where: '{one}' asks for a range of column '{one.column}', which holds no numbers."
        )
    try:
        return table.numbers(one.column)
    except TableError as error:  # a text that is no number
        raise TableError(
            f"where: '{one}' asks for a range of column '{one.column}', which holds words; ask for "
            "one of its values with '='."
        ) from error


def between(value: str) -> tuple[str, str] | None:
    """The two ends of `2..5`, one of them perhaps left out; None where it is no range."""
    found = RANGE.fullmatch(value)
    return (found["low"].strip(), found["high"].strip()) if found else None


def span(text: str, one: Filter, decimal: str, *, dated: bool) -> Span:
    """What a typed value covers: of times a date before a number of seconds since 1970."""
    found = interval(text) if dated else None
    if found is not None:
        return found
    number = to_number(text if decimal == "." else text.replace(",", "."), ".")
    if number is None or not np.isfinite(number):
        wanted = "neither a date nor a number" if dated else "no number"
        if not dated and interval(text):
            wanted = f"a date, and column '{one.column}' holds none"
        raise TableError(f"where: '{text}' in '{one}' is {wanted}.")
    return Span(number, number)


def interval(text: str) -> Span | None:
    """All that a date holds, in seconds since 1970: a year as 2024, a month, a day, an hour...

    Days may be written as `to_moment` reads them, too: 31.05.2024, 31-May-2024. None for no date.
    """
    if DATE.fullmatch(text):
        try:
            start = np.datetime64(text.replace(" ", "T"))
        except ValueError:  # a thirteenth month
            return None
    else:
        found = to_moment(text)
        if not isinstance(found, datetime) or "W" in text:
            return None
        start = np.datetime64(found, "s" if ":" in text else "D")
    return Span(seconds_of(start), float(np.nextafter(seconds_of(start + 1), -np.inf)))


def seconds_of(moment: np.datetime64) -> float:
    """Seconds since 1970."""
    return float(moment.astype("datetime64[us]").astype(np.int64)) / 1e6


def equal(cell: object, value: str, decimal: str) -> bool:
    """Whether a cell says the same as what was typed: as a number, or as text."""
    if isinstance(cell, bool | np.bool_):
        return str(bool(cell)).lower() == value.lower()
    typed, own = to_number(value, "."), to_number(cell, decimal)
    if typed is not None and own is not None:
        return typed == own
    return str(cell).strip() == value
