"""Rows of which one input is another row's: a control for whether answers need them to belong."""

from collections.abc import Iterable, Sequence

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.cells.cells import Cells
from modalloy.readers.batch import TABLE, ArrayBatch


class DealtLoader(Loader):
    """A loader that shows one input of each row from another row; the rest, and the right answers,
    are the row's own.

    other_N: for each row of the table the row that its cells come from.
    """

    def __init__(self, whole: Loader, name: str, other_N: np.ndarray) -> None:
        self.__dict__.update(whole.__dict__)  # the same table, readers, caches and threads
        self.whole, self.name, self.other_N = whole, name, other_N
        readers = whole.tabular if name == TABLE else [whole.readers[name]]
        self.dealt_columns = {c for reader in readers for c in reader.columns}

    def batch(
        self,
        rows: np.ndarray,
        *,
        inputs: Iterable[str] | None = None,
        coming: Sequence[np.ndarray] = (),
    ) -> ArrayBatch:
        """As `Loader.batch`; rows that come are read with their own batch."""
        del coming
        batch = self.whole.batch(rows, inputs=inputs)
        if self.name not in batch.values:
            return batch
        other = self.whole.batch(self.other_N[rows], inputs=[self.name])
        values = {**batch.values, self.name: other.values[self.name]}
        present = {**batch.present, self.name: other.present[self.name]}
        return ArrayBatch(values, present, batch.targets, rows)

    def cells(self, columns: Sequence[str], rows: np.ndarray) -> Cells:
        """As `Loader.cells`; a column that only right answers read is never dealt."""
        own = self.whole.cells(columns, rows)
        dealt = [c for c in columns if c in self.dealt_columns]
        if not dealt:
            return own
        other = self.whole.cells(dealt, self.other_N[rows])
        return Cells({**own.columns, **other.columns}, own.folder, own.allow_outside, own.decimal)


def deal(which: np.ndarray, total: int, seed: int) -> np.ndarray:
    """For each of `total` rows the row that it is dealt.

    Each of these rows gets another one's, drawn at random, none its own; the others keep theirs.
    """
    other_N = np.arange(total)
    order = np.random.default_rng(seed).permutation(which)
    other_N[order] = np.roll(order, 1)
    return other_N
