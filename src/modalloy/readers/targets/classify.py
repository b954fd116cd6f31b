"""Cells with one class, or any number of labels, in; their numbers to learn from out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.cells.naming import Naming, Reading, names_of_cells, reading_of
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.readers.answer_cells import is_list, named, to_labels
from modalloy.readers.category import in_order
from modalloy.readers.number import all_missing
from modalloy.readers.reader import same, same_decimal
from modalloy.readers.targets.target import Signal, TargetReader

BETWEEN = " | "  # names of a set in one cell


@dataclass(frozen=True)
class ClassTarget(TargetReader):
    """One of `names`, or with `multi` any number of them; counts: training rows of each name.

    rows: training rows whose answer is known. reading, decimal: how training wrote the names
    (`Naming`).
    """

    kind: ClassVar[str] = "classify"
    names: tuple[str, ...]
    counts: tuple[int, ...]
    rows: int
    multi: bool
    reading: Reading = "written"
    decimal: str = "."

    @classmethod
    def blank(cls, name: str, options: config.Classify) -> Self:
        """Without a name."""
        return cls(name, options.target, (), (), 0, options.labels == "multi")

    @classmethod
    def fit(cls, name: str, options: config.Classify, cells: Cells) -> Self:
        """Names in training rows; TableError for fewer than two (one with `multi`) and for lists
        without `multi`.
        """
        made = cls.seen(name, options, cells)
        if not made.names or (
            len(made.names) == 1 and (not made.multi or made.counts[0] == made.rows)
        ):
            found = f"only '{made.names[0]}'" if made.names else "no label"
            raise TableError(
                f"column '{options.target}' holds {found} in {made.rows} training rows; task "
                f"{name} needs rows with and without it, or two classes"
            )
        return made

    @classmethod
    def seen(cls, name: str, options: config.Classify, cells: Cells) -> Self:
        """Names in these rows, be it a single one."""
        multi = options.labels == "multi"
        lists = [] if multi else [c for c in cells[options.target] if is_list(c)]
        if lists:
            raise TableError(
                f"column '{options.target}' holds lists such as {lists[0]!r:.60}, which are no "
                f"class; if a row may have several, set labels: multi in task {name}"
            )
        with named(options.target):
            answers = [to_labels(c, multi) for c in cells[options.target]]
        known = [a for a in answers if a is not None]
        counts = names_of_cells((n for labels in known for n in labels), cells.decimal)
        known = [a for a in known if multi or a[0] in counts]
        if not known:
            raise all_missing(options.target, cells)
        names = in_order(counts)
        written = "written" if multi else reading_of(cells[options.target])
        numbers = tuple(counts[n] for n in names)
        return cls(name, options.target, names, numbers, len(known), multi, written, cells.decimal)

    @classmethod
    def together(cls, fitted: Sequence[Self], rows: Sequence[int]) -> Self:
        """All sites' names, with the rows of all; TableError for fewer than two."""
        first = replace(same(fitted, "column", "multi", "reading"), decimal=same_decimal(fitted))
        counts: Counter[str] = Counter()
        for reader in fitted:
            counts.update(dict(zip(reader.names, reader.counts, strict=True)))
        names = in_order(counts)
        if len(names) < 2 and not first.multi:
            raise TableError(
                f"column '{first.column}' holds only '{names[0]}' at every site; task {first.name} "
                "needs two classes"
            )
        known, numbers = sum(r.rows for r in fitted), tuple(counts[n] for n in names)
        return replace(first, names=names, counts=numbers, rows=known)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {n: i for i, n in enumerate(self.names)}

    @cached_property
    def _naming(self) -> Naming:
        return Naming(self.names, self.reading, self.decimal)

    def _labels(self, cell: Any, decimal: str) -> list[str] | None:
        """The names of a cell, as training has them where it knows them."""
        if not self.multi:
            name = self._naming.find(cell, decimal)
            return None if name is None else [name]
        labels = to_labels(cell, multi=True)
        return None if labels is None else [self._naming.find(n, decimal) or n for n in labels]

    def read(self, cells: Cells) -> dict[str, np.ndarray]:
        """Values y (B,) int64, or (B, C) float32 with `multi`; unseen names are not known."""
        y = np.zeros((len(cells), len(self.names)), dtype=np.float32)
        known = np.zeros(len(cells), dtype=bool)
        for row, cell in enumerate(cells[self.column]):
            labels = self._labels(cell, cells.decimal)
            known[row] = labels is not None and all(n in self._index for n in labels)
            if known[row]:
                y[row, [self._index[n] for n in labels or ()]] = 1.0
        return {"y": y if self.multi else y.argmax(axis=1), "known": known}

    def truth(self, cells: Cells) -> list[Any]:
        """A name, or with `multi` a list of names; names that training never saw are given too."""
        answers = [self._labels(c, cells.decimal) for c in cells[self.column]]
        return [a if a is None or self.multi else a[0] for a in answers]

    def told(
        self, name: str, options: config.Classify, answer: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """The answer, how sure it is, and every class's probability; where it promises a set of
        names that hold the truth, these, and whether they differ from the answer.
        """
        p_BC, names = answer["probability"], self.names
        if options.labels == "single":
            chosen_BC = p_BC.argmax(1)[:, None] == np.arange(len(names))
            best = [names[i] for i in p_BC.argmax(1)]
            found: dict[str, Any] = {name: best, f"{name}.probability": p_BC.max(1)}
        else:
            chosen_BC = p_BC >= 0.5
            found = {name: [names_at(names, row) for row in chosen_BC]}
        if "set" in answer:
            found[f"{name}.set"] = [BETWEEN.join(names_at(names, row)) for row in answer["set"]]
            found[f"{name}.abstain"] = (answer["set"] != chosen_BC).any(1)
        return found | {f"{name}.p[{n}]": p_BC[:, c] for c, n in enumerate(names)}

    @staticmethod
    def classes(answer: Any) -> set[str]:
        """Its labels."""
        return set(answer) if isinstance(answer, list) else {answer}

    @staticmethod
    def signal(answers: np.ndarray) -> Signal:
        """Each class by itself."""
        labels = [ClassTarget.classes(a) for a in answers]
        every = sorted(set().union(*labels))
        return Signal(np.array([[float(n in own) for n in every] for own in labels]), every)


def names_at(names: Sequence[str], yes_C: np.ndarray) -> list[str]:
    """The names that a row of truth values picks."""
    return [n for n, yes in zip(names, yes_C, strict=True) if yes]
