"""Cells that hold one of a set of names in, numbers of names out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.cells.naming import Naming, Reading, names_of_cells, reading_of
from modalloy.job import config
from modalloy.readers.number import all_missing
from modalloy.readers.reader import Read, Reader, same, same_decimal
from modalloy.readers.target_means import FOLDS, LearnedAnswers, smoothed_means, sums_by_name

MANY = 20  # names, from which on `auto` keeps what each of them answers


@dataclass(frozen=True)
class CategoryReader(Reader):
    """0 for a name that training rows did not have often enough, 1.. for `names` in order.

    reading, decimal: how training wrote the names (`Naming`). sums, answers: what the rows of each
    number answered, as `sums_by_name` has it, flat, with so many answers a row; empty without.
    """

    kind: ClassVar[str] = "category"
    names: tuple[str, ...]
    reading: Reading = "written"
    decimal: str = "."
    sums: tuple[float, ...] = ()
    answers: int = 0

    @classmethod
    def fit(
        cls,
        name: str,
        options: config.Category,
        cells: Cells,
        answers: LearnedAnswers | None = None,
    ) -> Self:
        """Names with at least `min_count` training rows; TableError where all cells are missing.

        answers: of the same rows; without them no `statistics` are kept.
        """
        counts = names_of_cells(cells[name], cells.decimal)
        if not counts:
            raise all_missing(name, cells)
        names = in_order(n for n, count in counts.items() if count >= options.min_count)
        reader = cls(name, names, reading_of(cells[name]), cells.decimal)
        shown = answers is not None and reader.shows_answers(options)
        return reader.with_answers(cells, answers) if shown else reader

    @classmethod
    def together(cls, fitted: Sequence[Self], rows: Sequence[int]) -> Self:
        """All sites' names, without what their rows answer."""
        first = same(fitted, "reading")
        names = in_order({n for reader in fitted for n in reader.names})
        return cls(first.name, names, first.reading, same_decimal(fitted))

    def shows_answers(self, options: config.Category) -> bool:
        """Whether the options ask for what the rows of each name answered."""
        many = options.statistics == "auto" and len(self.names) >= MANY
        return options.statistics == "means" or many

    def with_answers(self, cells: Cells, answers: LearnedAnswers) -> Self:
        """The same names with what their rows answer here."""
        read = self.read(cells)
        x_R = np.where(read.present, read.values["x"], -1)
        sums = sums_by_name(x_R, len(self.names) + 1, answers).round(4)
        return replace(self, sums=tuple(sums.ravel().tolist()), answers=sums.shape[-1])

    def without_answers(self) -> Self:
        """The same names alone."""
        return replace(self, sums=(), answers=0)

    @property
    def means(self) -> np.ndarray:
        """How far the answers of each number lie from all, (FOLDS + 1, names + 1, T) float32.

        As `smoothed_means` has it: the last entry is for rows that nothing was learned from.
        """
        shape = (len(self.names) + 1, FOLDS, 2, self.answers)
        return smoothed_means(np.array(self.sums).reshape(shape))

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
