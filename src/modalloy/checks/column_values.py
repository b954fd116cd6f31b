"""The values of a column as small numbers that can be compared, however long its texts are."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from modalloy.cells.cells import empty
from modalloy.table.table import Table

HASH = 0x7FFF_FFFF_FFFF_FFFF  # bits of a mark, so that none is negative


AT_ONCE = 1_000  # rows whose texts are held at a time


LISTS = 20_000  # rows of a list column that are looked at


def values(table: Table, column: str, rows: np.ndarray) -> tuple[np.ndarray, int]:
    """Number of each row's value, -1 where the cell is empty; how many different ones there are.

    Lists count as present or empty only. Shape (len(rows),).
    """
    if table.whole(column):  # beyond 2**53 their float64 would not tell them apart
        codes, names = table.codes(column)
        rank = np.argsort(np.argsort([int(n) for n in names if n is not None]))
        own = codes[rows]
        found, ranked = np.unique(rank[own[own >= 0]], return_inverse=True)
        every = np.full(len(own), -1, dtype=np.int64)
        every[own >= 0] = ranked
        return every, len(found)
    if table.kind(column) == "number":
        x = table.numbers(column, rows)
        found, codes = np.unique(x[~np.isnan(x)], return_inverse=True)
        every = np.full(len(x), -1, dtype=np.int64)
        every[~np.isnan(x)] = codes
        return every, len(found)
    if table.kind(column) in ("list", "other"):
        codes = np.array([-1 if empty(c) else 0 for c in table.cells(column, rows)], dtype=np.int64)
    elif table.kind(column) == "text":
        marks = np.full(len(rows), -1, dtype=np.int64)
        for at, cells in few_at_once(table, column, rows):
            marks[at] = [mark(c) for c in cells]
        found, codes = np.unique(marks, return_inverse=True)
        codes = codes - (found[:1] < 0).sum()
    else:
        codes = table.codes(column)[0][rows]
    return codes, len(np.unique(codes[codes >= 0]))


def few_at_once(
    table: Table, column: str, rows: np.ndarray
) -> Iterator[tuple[np.ndarray, list[Any]]]:
    """The cells of these rows in the table's order, with their places in `rows`; long texts of many
    rows are never held together.
    """
    order = np.argsort(rows, kind="stable")
    for start in range(0, len(rows), AT_ONCE):
        at = order[start : start + AT_ONCE]
        yield at, table.cells(column, rows[at])


def mark(text: str | None) -> int:
    """A number that stands for a text, the same for equal ones in this process; -1 for none."""
    return -1 if empty(text) else hash(text) & HASH


def spread(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the rows, evenly spaced."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
