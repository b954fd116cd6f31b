"""Filters on columns of a table: `line=3`, `site!=north`, `load=2..5`, `hours>=100`."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from modalloy.cells.numbers import to_number
from modalloy.errors import TableError
from modalloy.job.options import did_you_mean
from modalloy.table.table import Table

FORM = re.compile(r"\s*(?P<column>.+?)\s*(?P<sign>!=|>=|<=|=|>|<)\s*(?P<value>.*?)\s*")
RANGE = re.compile(r"(?P<low>[^.]*(?:\.\d+)?)\.\.(?P<high>.*)")


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
    return Filter(found["column"], found["sign"], found["value"])


def allowed(table: Table, filters: Sequence[Filter]) -> np.ndarray | None:
    """Which rows meet all filters, (N,) bool; None without one.

    A row whose cell is empty meets none, not even `!=`. TableError for a column that the table
    lacks, and for a range of a column without numbers.
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
    if one.sign in ("=", "!=") and not between(one.value):
        codes_N, values = table.codes(one.column)
        same = np.array([equal(v, one.value, table.decimal) for v in values], dtype=bool)
        same_N = np.append(same, False)[codes_N]  # -1, which has nothing, is the last one
        return same_N if one.sign == "=" else ~same_N & (codes_N >= 0)
    numbers_N, ends = numbers_of(table, one), between(one.value)
    with np.errstate(invalid="ignore"):
        if ends is not None:
            low = edge(ends[0], one, table.decimal) if ends[0] else -np.inf
            high = edge(ends[1], one, table.decimal) if ends[1] else np.inf
            inside_N = (numbers_N >= low) & (numbers_N <= high)
            return inside_N if one.sign == "=" else ~inside_N & np.isfinite(numbers_N)
        limit = edge(one.value, one, table.decimal)
        ways = {
            ">=": numbers_N >= limit,
            "<=": numbers_N <= limit,
            ">": numbers_N > limit,
            "<": numbers_N < limit,
        }
        return ways[one.sign]


def numbers_of(table: Table, one: Filter) -> np.ndarray:
    """The cells of a column as numbers, times as seconds since 1970, NaN where there is none."""
    kind = table.kind(one.column)
    if kind == "time":
        return table.moments(one.column)
    if kind not in ("number", "bool", "text"):
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


def edge(text: str, one: Filter, decimal: str) -> float:
    """One end of a range: a number, or a date as seconds since 1970."""
    number = to_number(text, ".") if decimal == "." else to_number(text.replace(",", "."), ".")
    number = moment(text) if number is None or not np.isfinite(number) else number
    if number is None:
        raise TableError(f"where: '{text}' in '{one}' is neither a number nor a date.")
    return number


def moment(text: str) -> float | None:
    """Seconds since 1970 of a date as 2024-05-01 or 2024-05-01T06:00."""
    try:
        return float(np.datetime64(text, "ms").astype("int64")) / 1000.0
    except ValueError:
        return None


def equal(cell: object, value: str, decimal: str) -> bool:
    """Whether a cell says the same as what was typed: as a number, or as text."""
    if isinstance(cell, bool | np.bool_):
        return str(bool(cell)).lower() == value.lower()
    typed, own = to_number(value, "."), to_number(cell, decimal)
    if typed is not None and own is not None:
        return typed == own
    return str(cell).strip() == value
