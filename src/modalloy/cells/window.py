"""For each row the rows before it in the same recording."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from modalloy.cells.bulk import OrderForm
from modalloy.cells.cells import empty
from modalloy.cells.missing_markers import says_nothing


class Window(NamedTuple):
    """A cell of a series with a history.

    x_CL: float32 numbers of the row and of those before it, oldest first, NaN where one is missing.
    form: how the cells that sort the rows are written. said: what of the row itself could not be
    read.
    """

    x_CL: np.ndarray
    form: OrderForm
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recordings:
    """All rows sorted once by recording and order.

    x_CN: numbers of the columns in sorted order. place_N: where a row stands in it. start_N: where
    the recording of a row begins in it. lost: rows without a place, each a recording of its own.
    form: how the cells that sort the rows are written. fault: the first cell that could not be
    read, in a sentence.
    """

    x_CN: np.ndarray
    place_N: np.ndarray
    start_N: np.ndarray
    lost: np.ndarray
    form: OrderForm = "number"
    fault: str | None = None

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

        A row without a group or an order is a recording of its own.

        numbers: one array (N,) for each of `count` columns. folder: where a table too large for
        memory lies; the sorted numbers then go to a file in it.
        """
        total = len(order)
        joint = np.zeros(total, dtype=np.int64)
        for codes in groups:
            joint = joint * (codes.max() + 2) + codes + 1
            joint = np.unique(joint, return_inverse=True)[1]  # stays small however many columns
        alone = np.isnan(order)
        lost = np.flatnonzero(alone)
        for codes in groups:
            alone = alone | (codes < 0)
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
            with np.errstate(over="ignore"):  # beyond float32 is infinite
                x_CN[channel] = column[by_time]
        return cls(x_CN, place, begin[place], lost)

    def window(self, row: int, rows: int) -> np.ndarray:
        """Float32 (C, L) of this row and at most `rows` - 1 before it, oldest first."""
        end = int(self.place_N[row]) + 1
        return np.array(self.x_CN[:, max(int(self.start_N[row]), end - rows) : end])

    def newest(self, rows: np.ndarray) -> np.ndarray:
        """Float32 (C, B): the numbers of these rows themselves."""
        return np.array(self.x_CN[:, self.place_N[rows]])


def no_place(cell: Any, form: OrderForm) -> str:
    """Why a cell sorts no row."""
    if empty(cell) or says_nothing(cell):
        return "empty"
    return f"{cell!r:.60} is no {'number' if form == 'number' else 'date'}"
