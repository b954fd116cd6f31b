"""The rows of several tables as one: those of the first, then those of the next, and so on."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from modalloy.answer.cell_status import Statuses
from modalloy.answer.kept_cells import Kept
from modalloy.answer.loader import Loader
from modalloy.cells.cells import Cells
from modalloy.media.media import Source
from modalloy.readers.batch import Arrays

Cell = TypeVar("Cell")


class JoinedLoader(Loader):
    """Rows are numbered through; each is read from its own table, media from that table's folder.

    loaders: of the tables, with the same readers and without targets; their caches become one.
    """

    def __init__(self, loaders: Sequence[Loader], *, cache_gb: float) -> None:
        first = loaders[0]
        super().__init__(
            first.table, first.job, first.readers, {}, strict=first.strict, cache_gb=cache_gb
        )
        self.store = first.store
        self.loaders = list(loaders)
        self.starts = np.cumsum([0, *(one.table.rows for one in loaders)])
        total = int(self.starts[-1])
        self.status = {name: Statuses(total) for name in self.readers}
        self._tabular = Kept(total, sum(len(r.columns) for r in self.tabular))
        for one in self.loaders:
            one.budget, one.features = self.budget, self.features
            one.decoded = {name: self.cache() for name in one.decoded}

    def cells(self, columns: Sequence[str], rows: np.ndarray) -> Cells:
        """Cells of rows of any table; paths in them start at the folders of their own tables."""
        some = [(one.cells(columns, own), at) for one, own, at in self._shares(rows)]
        found = {c: in_place([(cells[c], at) for cells, at in some], len(rows)) for c in columns}
        return Cells(found, self.table.folder, self.job.allow_outside, self.table.decimal)

    def arrays(self, name: str, rows: np.ndarray) -> list[Arrays]:
        """As of one table."""
        parts = [(one.arrays(name, own), at) for one, own, at in self._shares(rows)]
        self._note(name, rows)
        return in_place(parts, len(rows))

    def files(self, name: str, rows: np.ndarray) -> dict[int, Source]:
        """As of one table; the same path beside two tables may be two files."""
        found = {}
        for one, own, at in self._shares(rows):
            start = int(rows[at[0]]) - int(own[0])
            found |= {row + start: file for row, file in one.files(name, own).items()}
        return found

    def origins(self, name: str, which: np.ndarray) -> np.ndarray:
        """As of one table; the same path beside two tables may be two files."""
        found = which.copy()
        for one, own, at in self._shares(which):
            start = int(which[at[0]]) - int(own[0])
            found[at] = one.origins(name, own) + start
        return found

    def repeat(self, name: str, row: int, earlier: int) -> None:
        """As of one table, which both rows are of."""
        super().repeat(name, row, earlier)
        i = int(np.searchsorted(self.starts, row, side="right")) - 1
        start = int(self.starts[i])
        self.loaders[i].repeat(name, row - start, earlier - start)

    def _refuse_unreadable(self, column: str, rows: np.ndarray) -> None:
        for one, own, _ in self._shares(rows):
            one._refuse_unreadable(column, own)

    def _tabular_arrays(self, rows: np.ndarray) -> Arrays:
        parts = [(one._tabular_arrays(own), at) for one, own, at in self._shares(rows)]
        for reader in self.tabular:
            self._note(reader.name, rows)
        order = np.argsort(np.concatenate([at for _, at in parts]), kind="stable")
        names = parts[0][0].keys() if parts else ()
        return {n: np.concatenate([arrays[n] for arrays, _ in parts])[order] for n in names}

    def _note(self, name: str, rows: np.ndarray) -> None:
        """Take over what each table's loader says of its cells."""
        for one, own, at in self._shares(rows):
            said = one.status[name]
            self.status[name].note(rows[at], [said.get(int(r), "ok") for r in own])

    def _shares(self, rows: np.ndarray) -> list[tuple[Loader, np.ndarray, np.ndarray]]:
        """Each table that has some of these rows: its loader, their numbers there, their places."""
        owner = np.searchsorted(self.starts, rows, side="right") - 1
        return [
            (self.loaders[i], rows[owner == i] - self.starts[i], np.flatnonzero(owner == i))
            for i in np.unique(owner)
        ]


def in_place(parts: Sequence[tuple[Sequence[Cell], np.ndarray]], count: int) -> list[Cell]:
    """What was found of some rows at a time, in the order of all."""
    found: dict[int, Cell] = {}
    for some, at in parts:
        found |= zip(at.tolist(), some, strict=True)
    return [found[i] for i in range(count)]
