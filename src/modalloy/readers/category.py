"""Cells that hold one of a set of names in, numbers of names out."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.cells.naming import Naming, Reading, names_of_cells, reading_of
from modalloy.job import config
from modalloy.readers.number import all_missing
from modalloy.readers.reader import Read, Reader


@dataclass(frozen=True)
class CategoryReader(Reader):
    """0 for a name that training rows did not have often enough, 1.. for `names` in order.

    reading, decimal: how training wrote the names (`Naming`).
    """

    kind: ClassVar[str] = "category"
    names: tuple[str, ...]
    reading: Reading = "written"
    decimal: str = "."

    @classmethod
    def fit(cls, name: str, options: config.Category, cells: Cells) -> Self:
        """Names with at least `min_count` training rows; TableError where all cells are missing."""
        counts = names_of_cells(cells[name], cells.decimal)
        if not counts:
            raise all_missing(name, cells)
        names = in_order(n for n, count in counts.items() if count >= options.min_count)
        return cls(name, names, reading_of(cells[name]), cells.decimal)

    @cached_property
    def naming(self) -> Naming:
        """Finds the name of a cell."""
        return Naming(self.names, self.reading, self.decimal)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {n: i + 1 for i, n in enumerate(self.names)}

    def read(self, cells: Cells) -> Read:
        """Values x (B,) int64."""
        names = [self.naming.find(c, cells.decimal) for c in cells[self.name]]
        x = np.array([0 if n is None else self._index.get(n, 0) for n in names], dtype=np.int64)
        present = np.array([n is not None for n in names], dtype=bool)
        status = [
            "missing" if n is None else "ok" if i else f"unknown: {n:.60}"
            for n, i in zip(names, x, strict=True)
        ]
        return Read({"x": x}, present, status)


def in_order(names: Any) -> tuple[str, ...]:
    """Names sorted, by value where all of them are numbers."""
    names = list(names)
    try:
        return tuple(sorted(names, key=lambda n: (float(n), n)))
    except ValueError:
        return tuple(sorted(names))
