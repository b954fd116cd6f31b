"""Arrays of a row go in once and come back every epoch: one file on disk, found by row number."""

import os
import tempfile
import threading
import weakref
from pathlib import Path

import numpy as np

Arrays = dict[str, np.ndarray]
Part = tuple[str, str, tuple[int, ...], int]  # name, type, shape, bytes
Place = tuple[int, list[Part]]


class Cache:
    """Decoded cells or frozen features of one input, at most `budget_gb` of them.

    Rows beyond the budget, or beyond what the disk holds, are simply not kept: `get` answers None
    and the caller decodes them again. The file has no name (it is unlinked at once), so nothing is
    left behind however the process ends. Safe for several threads.
    """

    def __init__(self, budget_gb: float, folder: Path | None = None) -> None:
        self._file, name = tempfile.mkstemp(prefix="modalloy-", dir=folder)
        os.unlink(name)
        weakref.finalize(self, os.close, self._file)
        self._places: dict[int, Place] = {}
        self._end, self._budget = 0, int(budget_gb * 1e9)
        self._lock = threading.Lock()

    def get(self, row: int) -> Arrays | None:
        """The arrays of a row, or None where they were not kept."""
        place = self._places.get(row)
        if place is None:
            return None
        start, parts = place
        total = sum(part[3] for part in parts)
        data = os.pread(self._file, total, start)
        arrays, at = {}, 0
        for name, dtype, shape, size in parts:
            count = size // np.dtype(dtype).itemsize
            arrays[name] = np.frombuffer(data, dtype, count, at).reshape(shape)
            at += size
        return arrays

    def put(self, row: int, arrays: Arrays) -> None:
        """Keep the arrays of a row if they fit."""
        parts: list[Part] = [(n, a.dtype.str, a.shape, a.nbytes) for n, a in arrays.items()]
        total = sum(part[3] for part in parts)
        with self._lock:
            if row in self._places or self._end + total > self._budget:
                return
            start, self._end = self._end, self._end + total
        data = b"".join(np.ascontiguousarray(a).tobytes() for a in arrays.values())
        try:
            written = os.pwrite(self._file, data, start)
        except OSError:
            written = 0
        if written == total:
            self._places[row] = (start, parts)
        else:  # the disk is full
            self._budget = 0

    def repeat(self, row: int, earlier: int) -> None:
        """Let a row have the arrays of an earlier one, if those were kept."""
        place = self._places.get(earlier)
        if place is not None:
            self._places.setdefault(row, place)

    def __len__(self) -> int:
        return len(self._places)
