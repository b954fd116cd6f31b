"""Rows of which some inputs are another row's: a control for whether answers need them to belong."""

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.cells.cells import Cells
from modalloy.job.inputs import heard
from modalloy.readers.batch import TABLE, ArrayBatch


class DealtLoader(Loader):
    """A loader that shows some inputs of each row from another row; the rest, and the right
    answers, are the row's own.

    names: of the inputs; no other one reads a column of theirs, see `read_together`. other_N: for
    each row of the table the row that their cells come from.
    """

    def __init__(self, whole: Loader, names: Collection[str], other_N: np.ndarray) -> None:
        self.__dict__.update(whole.__dict__)  # the same table, readers, caches and threads
        self.whole, self.names, self.other_N = whole, names, other_N
        self.dealt_columns = {c for name in names for c in columns_of(whole, name)}

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
        dealt = [name for name in self.names if name in batch.values]
        if not dealt:
            return batch
        other = self.whole.batch(self.other_N[rows], inputs=dealt)
        values = {**batch.values, **{n: other.values[n] for n in dealt}}
        present = {**batch.present, **{n: other.present[n] for n in dealt}}
        return ArrayBatch(values, present, batch.targets, rows)

    def cells(self, columns: Sequence[str], rows: np.ndarray) -> Cells:
        """As `Loader.cells`; a column that only right answers read is never dealt."""
        own = self.whole.cells(columns, rows)
        dealt = [c for c in columns if c in self.dealt_columns]
        if not dealt:
            return own
        other = self.whole.cells(dealt, self.other_N[rows])
        return Cells({**own.columns, **other.columns}, own.folder, own.allow_outside, own.decimal)


def read_together(loader: Loader, inputs: Sequence[str]) -> list[tuple[str, ...]]:
    """The inputs in groups, no two of which read the same column of the table, in their order.

    A text that is heard reads the recordings. Dealing out one input of a group alone would leave
    what its cells say in place.
    """
    groups: list[tuple[set[str], set[str]]] = []  # inputs, and the columns that they read
    said = heard(loader.job)
    for name in inputs:
        names, columns = {name}, {said.get(c, c) for c in columns_of(loader, name)}
        for other in [g for g in groups if g[1] & columns]:
            groups.remove(other)
            names, columns = names | other[0], columns | other[1]
        groups.append((names, columns))
    found = [tuple(n for n in inputs if n in names) for names, _ in groups]
    return sorted(found, key=lambda names: list(inputs).index(names[0]))


def columns_of(loader: Loader, name: str) -> set[str]:
    """The columns of the table that an input reads."""
    readers = loader.tabular if name == TABLE else [loader.readers[name]]
    return {c for reader in readers for c in reader.columns}


def deal(which: np.ndarray, total: int, seed: int) -> np.ndarray:
    """For each of `total` rows the row that it is dealt.

    Each of these rows gets another one's, drawn at random, none its own; the others keep theirs.
    """
    other_N = np.arange(total)
    order = np.random.default_rng(seed).permutation(which)
    other_N[order] = np.roll(order, 1)
    return other_N
