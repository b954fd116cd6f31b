"""Number, category and time cells and labels of rows: each is read once and kept in few bytes."""

import threading
from collections.abc import Callable, Iterable

import numpy as np

from modalloy.readers.batch import Arrays

CELLS_AT_ONCE = 262_144  # that are Python values at the same time
Reading = Callable[[np.ndarray], Arrays]  # row numbers -> arrays with rows first


class Kept:
    """Arrays of the rows of a table, each row read when it is first asked for.

    columns: table columns behind them, by which large readings are divided.

    Whole numbers are held in 4 bytes, so a number or a category takes 4 bytes and one for whether
    it is there; a time takes 4 for each of its numbers and one. Memory of rows that were never
    asked for is not touched. Safe for several threads.
    """

    def __init__(self, rows: int, columns: int = 1) -> None:
        self.at_once = max(1, CELLS_AT_ONCE // max(1, columns))
        self._done = np.zeros(rows, dtype=bool)
        self._arrays: Arrays = {}
        self._types: dict[str, np.dtype] = {}
        self._lock = threading.Lock()

    def get(self, rows: np.ndarray, read: Reading, coming: Iterable[np.ndarray] = ()) -> Arrays:
        """The arrays of these rows, of the types that `read` gives new ones.

        coming: rows that will be asked for next; where any must be read now, some of them are read
        too, because few large readings cost less than many small ones.
        """
        with self._lock:
            if not self._done[rows].all() or not self._arrays:
                self._fill(self._with_coming(rows, coming), read)
        return {n: a[rows].astype(self._types[n], copy=False) for n, a in self._arrays.items()}

    def _with_coming(self, rows: np.ndarray, coming: Iterable[np.ndarray]) -> np.ndarray:
        """Rows that are not read yet, in the order of the table."""
        wanted, count = [rows], len(rows)
        for some in coming:
            if count >= self.at_once:
                break
            wanted.append(some)
            count += len(some)
        rows = np.unique(np.concatenate(wanted))
        return rows[~self._done[rows]]

    def _fill(self, rows: np.ndarray, read: Reading) -> None:
        for start in range(0, len(rows) or 1, self.at_once):  # no row at all still tells the types
            some = rows[start : start + self.at_once]
            for name, array in read(some).items():
                if name not in self._arrays:
                    self._types[name] = array.dtype
                    shape = (len(self._done), *array.shape[1:])
                    self._arrays[name] = np.zeros(shape, small(array.dtype))
                self._arrays[name][some] = array
            self._done[some] = True

    @property
    def row_bytes(self) -> float:
        """Bytes that one row takes, with the mark that it was read."""
        held = sum(a.nbytes for a in self._arrays.values()) + self._done.nbytes
        return held / max(1, len(self._done))


def small(dtype: np.dtype) -> np.dtype:
    """The type that numbers of rows, names and pieces are held in."""
    return np.dtype(np.int32) if dtype == np.int64 else dtype
