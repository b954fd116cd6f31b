"""Rows in, a fingerprint of each out: later it can be told whether a row was learned from."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np

from modalloy import config
from modalloy.table.finding import read_columns
from modalloy.table.reader import empty
from modalloy.table.split import Parts
from modalloy.table.table import Table

AT_ONCE = 8192  # rows whose cells are held at a time


def fingerprints(table: Table, job: config.Job, rows: np.ndarray | None = None) -> np.ndarray:
    """A number for each of these rows (all by default) from all cells that its inputs are read of,
    (N,) int64.

    The same cells give the same number in every format of a table, whatever the row's place; a file
    counts by its path, answers do not count. A column that the table lacks counts as empty.
    """
    rows = np.arange(table.rows) if rows is None else rows
    columns, have = list(read_columns(job)), set(table.columns)
    found = np.zeros(len(rows), dtype=np.int64)
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        cells = [table.cells(c, some) if c in have else [None] * len(some) for c in columns]
        for at, row in enumerate(zip(*cells, strict=True), start):
            found[at] = int.from_bytes(_digest(row), "little", signed=True)
    return found


def seen_before(prints: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """Which rows are ones that were learned from, (N,) bool.

    A fingerprint that several learned rows share names none of them: rows of a few categories
    repeat by themselves.
    """
    once, counts = np.unique(learned, return_counts=True)
    return np.isin(prints, once[counts == 1])


def same_parts(table: Table, job: config.Job, parts: Parts, prints: Parts) -> bool:
    """Whether the rows of each part are still the ones that these fingerprints were made of."""
    return all(
        len(rows) == len(known) and np.array_equal(fingerprints(table, job, rows), known)
        for rows, known in zip(parts, prints, strict=True)
    )


def _digest(cells: Sequence[Any]) -> bytes:
    whole = hashlib.blake2b(digest_size=8)
    for piece in _pieces(cells):
        whole.update(len(piece).to_bytes(8, "little"))
        whole.update(piece)
    return whole.digest()


def _pieces(cells: Sequence[Any]) -> Iterator[bytes]:
    """Each cell as bytes: numbers by value, text without its margins, nothing as nothing."""
    for cell in cells:
        if isinstance(cell, np.ndarray):
            yield np.ascontiguousarray(cell, dtype=np.float64).tobytes()
        elif empty(cell):
            yield b""
        elif isinstance(cell, bool | int | float):
            yield repr(float(cell)).encode()
        elif isinstance(cell, date):  # a day is its midnight: formats hold either
            midnight = cell if isinstance(cell, datetime) else datetime(*cell.timetuple()[:3])
            yield midnight.isoformat().encode()
        else:
            yield str(cell).strip().encode(errors="backslashreplace")
