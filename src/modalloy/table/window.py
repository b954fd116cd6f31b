"""Single rows in, each with the rows before it in the same recording out."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Recordings:
    """All rows sorted once by recording and order.

    x_CN: numbers of the columns in sorted order. place_N: where a row stands in it. start_N: where
    the recording of a row begins in it.
    """

    x_CN: np.ndarray
    place_N: np.ndarray
    start_N: np.ndarray

    @classmethod
    def sort(
        cls,
        groups: Sequence[np.ndarray],
        order: np.ndarray,
        numbers: Iterable[np.ndarray],
        count: int,
        folder: Path | None,
    ) -> Self:
        """Sort rows by their group numbers (-1: none), then by `order`, ties as in the table.

        numbers: one array (N,) for each of `count` columns. folder: where a table too large for
        memory lies; the sorted numbers then go to a file in it.
        """
        total = len(order)
        joint = np.zeros(total, dtype=np.int64)
        for codes in groups:
            joint = joint * (codes.max() + 2) + codes + 1
            joint = np.unique(joint, return_inverse=True)[1]  # stays small however many columns
        alone = np.any([codes < 0 for codes in groups], axis=0) & np.ones(total, dtype=bool)
        joint[alone] = joint.max(initial=0) + 1 + np.arange(int(alone.sum()))
        by_time = np.lexsort((order, joint))
        place = np.empty(total, dtype=np.int64)
        place[by_time] = np.arange(total)
        first = np.diff(joint[by_time], prepend=-1) != 0
        begin = np.maximum.accumulate(np.where(first, np.arange(total), 0))
        shape = (count, total)
        if folder is None:
            x_CN = np.empty(shape, dtype=np.float32)
        else:
            path = folder / f"sorted{len(list(folder.glob('sorted*')))}"
            with path.open("wb") as file:  # a full disk is an error now, not a crash at some page
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, 4 * count * total)
                file.truncate(4 * count * total)
            x_CN = np.memmap(path, np.float32, "r+", shape=shape)
        for channel, column in enumerate(numbers):
            x_CN[channel] = column[by_time]
        return cls(x_CN, place, begin[place])

    def window(self, row: int, rows: int) -> np.ndarray:
        """Float32 (C, L) of this row and at most `rows` - 1 before it, oldest first."""
        end = int(self.place_N[row]) + 1
        return np.array(self.x_CN[:, max(int(self.start_N[row]), end - rows) : end])
