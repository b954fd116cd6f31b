"""Number, category and time cells and labels of rows: each is read once and kept in few bytes."""

import threading
from collections.abc import Callable

import numpy as np

from modalloy.model.cache import Arrays

AT_ONCE = 65_536  # rows whose cells are Python values at the same time
Reading = Callable[[np.ndarray], Arrays]  # row numbers -> arrays with rows first


class Kept:
    """Arrays of all rows of a table, each row read when it is first asked for.

    read: reads some rows. ahead: whether to read as many rows again as were read so far, whichever
    come next, each time a new one is asked for: one row then costs what one row costs, and whoever
    goes through a large table pays for few large readings instead of many small ones.

    Whole numbers are held in 4 bytes, so a number or a category takes 4 bytes and one for whether
    it is there; a time takes 4 for each of its numbers and one. Memory of rows that were never
    asked for is not touched. Safe for several threads.
    """

    def __init__(self, rows: int, read: Reading, *, ahead: bool = False) -> None:
        self._read, self._ahead = read, ahead
        self._done = np.zeros(rows, dtype=bool)
        self._arrays: Arrays = {}
        self._types: dict[str, np.dtype] = {}
        self._count = 0  # rows read
        self._next = 0  # all rows before it are read
        self._lock = threading.Lock()

    def get(self, rows: np.ndarray) -> Arrays:
        """The arrays of these rows, of the types that reading gave them."""
        with self._lock:
            new = np.unique(rows[~self._done[rows]])
            if len(new) or not self._arrays:
                self._fill(new)
                if self._ahead:
                    self._fill(self._following(self._count - len(new)))
        return {n: a[rows].astype(self._types[n], copy=False) for n, a in self._arrays.items()}

    def _fill(self, rows: np.ndarray) -> None:
        for start in range(0, len(rows) or 1, AT_ONCE):  # no row at all still tells the types
            some = rows[start : start + AT_ONCE]
            for name, array in self._read(some).items():
                if name not in self._arrays:
                    self._types[name] = array.dtype
                    shape = (len(self._done), *array.shape[1:])
                    self._arrays[name] = np.zeros(shape, small(array.dtype))
                self._arrays[name][some] = array
            self._done[some] = True
        self._count += len(rows)

    def _following(self, most: int) -> np.ndarray:
        """The next rows in the table that were not read yet, at most so many."""
        start = self._next
        self._next = min(start + most, len(self._done))
        return start + np.flatnonzero(~self._done[start : self._next])

    @property
    def row_bytes(self) -> float:
        """Bytes that one row takes, with the mark that it was read."""
        held = sum(a.nbytes for a in self._arrays.values()) + self._done.nbytes
        return held / max(1, len(self._done))


def small(dtype: np.dtype) -> np.dtype:
    """The type that numbers of rows, names and pieces are held in."""
    return np.dtype(np.int32) if dtype == np.int64 else dtype
