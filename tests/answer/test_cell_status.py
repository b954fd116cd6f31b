"""Statuses of cells: a mapping of what is not in order, a byte a row."""

import tracemalloc

import numpy as np
import pytest

from modalloy.answer.cell_status import Statuses


def test_only_what_is_not_in_order_is_there() -> None:
    found = Statuses(6)
    found.note(np.array([4, 0, 2, 5]), ["missing", "ok", "unreadable: no file", "unknown: z"])
    assert dict(found) == {2: "unreadable: no file", 4: "missing", 5: "unknown: z"}
    assert len(found) == 3
    assert found.get(0, "ok") == found.get(1, "ok") == found.get(99, "ok") == "ok"
    with pytest.raises(KeyError):
        found[0]
    assert list(found.unreadable(np.array([5, 4, 2]))) == [(2, "unreadable: no file")]


def test_a_row_repeats_an_earlier_one() -> None:
    found = Statuses(6)
    found.note(np.array([0, 1, 2]), ["missing", "unknown: z", "ok"])
    for row, earlier in ((3, 0), (4, 1), (5, 2)):
        found.repeat(row, earlier)
    assert dict(found) == {0: "missing", 1: "unknown: z", 3: "missing", 4: "unknown: z"}


def test_a_column_that_is_mostly_empty_takes_a_byte_a_row() -> None:
    rows = np.arange(100_000)
    tracemalloc.start()
    try:
        found = Statuses(len(rows))
        found.note(rows, ["missing"] * len(rows))
        assert tracemalloc.get_traced_memory()[0] / len(rows) < 1.2
    finally:
        tracemalloc.stop()
    assert len(found) == len(rows)
