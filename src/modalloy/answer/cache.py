"""Arrays of rows kept in one file on disk, found by row number."""

import os
import tempfile
import threading
import weakref
from pathlib import Path

import numpy as np

from modalloy.readers.batch import Arrays

Part = tuple[str, str, tuple[int, ...], int]  # name, type, shape, bytes
Place = tuple[int, list[Part]]


class Budget:
    """Disk that all caches of one training share, `gb` at most. Safe for several threads."""

    def __init__(self, gb: float) -> None:
        self._left = int(gb * 1e9)
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Whether so many bytes may be written; they then count as used."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def give_back(self, size: int) -> None:
        """Bytes that no file holds any more."""
        with self._lock:
            self._left += size

    def close(self) -> None:
        """The disk is full: nothing more is written, whatever was planned."""
        with self._lock:
            self._left = -(1 << 62)

    @property
    def left(self) -> int:
        """Bytes that may still be written; less than nothing once the disk was full."""
        return self._left


class Cache:
    """Decoded cells or frozen features of one input, as far as the budget that it shares goes.

    Rows beyond the budget, or beyond what the disk holds, are simply not kept: `get` answers None
    and the caller decodes them again. The file is made for the first row and has no name (it is
    unlinked at once), so nothing is left behind however the process ends. Safe for several threads.
    """

    def __init__(self, budget: Budget, folder: Path | None = None) -> None:
        self._folder, self._file = folder, -1
        self._closing: weakref.finalize | None = None
        self._places: dict[int, Place] = {}
        self._end, self._budget = 0, budget
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

    def put(self, row: int, arrays: Arrays) -> bool:
        """Keep the arrays of a row if they fit; whether they are kept now."""
        parts: list[Part] = [(n, a.dtype.str, a.shape, a.nbytes) for n, a in arrays.items()]
        total = sum(part[3] for part in parts)
        with self._lock:  # one writer at a time, so that no row is written twice
            if row in self._places:
                return True
            if not self._budget.take(total):
                return False
            start, self._end = self._end, self._end + total
            data = b"".join(np.ascontiguousarray(a).tobytes() for a in arrays.values())
            try:
                self._open()
                written = os.pwrite(self._file, data, start)
            except OSError:
                written = 0
            if written == total:
                self._places[row] = (start, parts)
                return True
            self._budget.close()
            return False

    def _open(self) -> None:
        if self._closing is None:
            self._file, name = tempfile.mkstemp(prefix="modalloy-", dir=self._folder)
            os.unlink(name)
            self._closing = weakref.finalize(self, os.close, self._file)

    def repeat(self, row: int, earlier: int) -> None:
        """Let a row have the arrays of an earlier one, if those were kept."""
        place = self._places.get(earlier)
        if place is not None:
            self._places.setdefault(row, place)

    def close(self) -> None:
        """Forget all rows and free their disk for others who share the budget."""
        with self._lock:
            self._places.clear()
            if self._closing is not None:
                self._closing()
                self._closing = None
            self._budget.give_back(self._end)
            self._end = 0

    def __contains__(self, row: int) -> bool:
        return row in self._places

    def __len__(self) -> int:
        return len(self._places)
