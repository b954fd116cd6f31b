"""Fingerprints of rows, by which a run tells later whether it learned from a row."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np

from modalloy.cells.cells import empty
from modalloy.cells.naming import AMOUNT, TRUTH
from modalloy.cells.numbers import to_number
from modalloy.cells.values import EXACT
from modalloy.job import config
from modalloy.job.inputs import heard, read_columns
from modalloy.table.split import Parts
from modalloy.table.table import Table

AT_ONCE = 8192  # rows whose cells are held at a time


def fingerprints(
    table: Table, job: config.Job, rows: np.ndarray | None = None, *, typed: bool = False
) -> np.ndarray:
    """A number for each of these rows (all by default) from all cells that its inputs are read of,
    (N,) int64.

    The same cells give the same number in every format of a table, whatever the row's place and
    neighbours; a file counts by its path, answers do not count. A column that the table lacks is
    empty. typed: as versions before 0.2 made them, by what a whole text column looks like.
    """
    rows = np.arange(table.rows) if rows is None else rows
    spoken, have = heard(job), set(table.columns)  # what is heard counts by its recordings' paths
    columns = list(dict.fromkeys(spoken.get(c, c) for c in read_columns(job)))
    cells_of, pieces = (table.cells, _pieces) if typed else (table.written, _written_pieces)
    found = np.zeros(len(rows), dtype=np.int64)
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        cells = [cells_of(c, some) if c in have else [None] * len(some) for c in columns]
        for at, row in enumerate(zip(*cells, strict=True), start):
            digest = _digest(pieces(row, table.decimal))
            found[at] = int.from_bytes(digest, "little", signed=True)
    return found


def learned_rows(
    table: Table, job: config.Job, rows: np.ndarray, learned: np.ndarray
) -> np.ndarray:
    """Which of these rows were learned from, (N,) bool; also by a run of an older version."""
    return np.any(
        [seen_before(fingerprints(table, job, rows, typed=t), learned) for t in (False, True)], 0
    )


def seen_before(prints: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """Which rows are ones that were learned from, (N,) bool.

    A fingerprint that several learned rows share names none of them: rows of a few categories
    repeat by themselves.
    """
    once, counts = np.unique(learned, return_counts=True)
    return np.isin(prints, once[counts == 1])


def same_parts(table: Table, job: config.Job, parts: Parts, prints: Parts) -> bool:
    """Whether the rows of each part are still the ones that these fingerprints were made of."""
    if any(len(rows) != len(known) for rows, known in zip(parts, prints, strict=True)):
        return False
    return any(
        all(
            np.array_equal(fingerprints(table, job, rows, typed=typed), known)
            for rows, known in zip(parts, prints, strict=True)
        )
        for typed in (False, True)
    )


def _digest(pieces: Iterable[bytes]) -> bytes:
    whole = hashlib.blake2b(digest_size=8)
    for piece in pieces:
        whole.update(len(piece).to_bytes(8, "little"))
        whole.update(piece)
    return whole.digest()


def _written_pieces(cells: Sequence[Any], decimal: str) -> Iterator[bytes]:
    """Each cell as bytes: a text that is a number, a time or a truth value is as good as one."""
    for cell in cells:
        yield from _pieces([_meant(cell.strip(), decimal) if isinstance(cell, str) else cell], ".")


def _meant(text: str, decimal: str) -> Any:
    """What a text stands for, where it is written as no code is."""
    if AMOUNT.fullmatch(text):
        number = to_number(text, decimal)
        return text if number is None or abs(number) > EXACT else number
    if text.lower() in TRUTH:
        return text.lower() == "true"
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None) if "-" in text[4:5] else text
    except ValueError:
        return text


def _pieces(cells: Sequence[Any], _: str) -> Iterator[bytes]:
    """Each cell as bytes: numbers by value, text without its margins, nothing as nothing."""
    for cell in cells:
        if isinstance(cell, np.ndarray):
            yield np.ascontiguousarray(cell, dtype=np.float64).tobytes()
        elif empty(cell):
            yield b""
        elif isinstance(cell, np.floating):  # 1.1 of 32 bits is 1.1
            yield repr(float(str(cell))).encode()
        elif isinstance(cell, int) and abs(cell) > EXACT:
            yield str(cell).encode()
        elif isinstance(cell, bool | int | float):
            yield repr(float(cell)).encode()
        elif isinstance(cell, date):  # a day is its midnight: formats hold either
            midnight = cell if isinstance(cell, datetime) else datetime(*cell.timetuple()[:3])
            yield midnight.replace(tzinfo=None).isoformat().encode()
        else:
            yield str(cell).strip().encode(errors="backslashreplace")
