"""The rows that classical models see: enough for a fair fit, and quick."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.cells.moments import date_form, to_moment
from modalloy.job import config
from modalloy.job.inputs import kept_together
from modalloy.readers.reader import Reader

CellsOf = Callable[[Sequence[str], np.ndarray], Cells]

MOST_ROWS = {"image": 5_000, "audio": 5_000, "series": 5_000, "text": 20_000, "tokens": 20_000}
MOST_PLAIN = 50_000  # rows where no column is costly to read
MOMENTS = 20  # stretches of time that stay together where rows are split by time


class Embedded(Protocol):
    """Some rows by use, and `of(rows) -> (B, F)`: a frozen encoder's features of any of them."""

    @property
    def train(self) -> np.ndarray:
        """Training rows that `of` knows."""

    @property
    def test(self) -> np.ndarray:
        """Test rows that `of` knows."""

    @property
    def of(self) -> Callable[[np.ndarray], np.ndarray]:
        """Features of some rows, (B, F), NaN where a cell is absent."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that they are features of."""


def most_rows(readers: Mapping[str, Reader]) -> int:
    """Training rows, and test rows, that simple methods see at most: by the most costly column."""
    kinds = {reader.kind for reader in readers.values()}
    return min((MOST_ROWS.get(kind, MOST_PLAIN) for kind in kinds), default=MOST_PLAIN)


def belonging(job: config.Job, cells_of: CellsOf, rows: np.ndarray) -> list[str] | None:
    """A label for each row by what the job keeps together; None where rows stand alone.

    The group that rows are split by, else the recording of a series with a history, else a stretch
    of time.
    """
    split, by = job.split, kept_together(job)
    if by:
        cells = cells_of(by, rows)
        return [" ".join(map(str, row)) for row in zip(*(cells[c] for c in by), strict=True)]
    if split.time is None:
        return None
    times = cells_of((split.time,), rows)[split.time]
    form = date_form(times)
    moments = [m if isinstance(m := to_moment(c, form), datetime) else datetime.min for c in times]
    order = np.argsort(np.array(moments, dtype="datetime64[us]"), kind="stable")
    stretch = np.empty(len(rows), dtype=np.int64)
    stretch[order] = np.arange(len(rows)) * MOMENTS // max(1, len(rows))
    return [str(s) for s in stretch]
