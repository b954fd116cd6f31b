"""What every classical model of a task is once it is fitted: asked of cells, kept as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.cells.cells import Cells
from modalloy.classical.blocks import EMBEDDED, FeatureBlock, embedded_block, read_blocks
from modalloy.classical.boosting import Boosting
from modalloy.classical.kept import State
from modalloy.classical.linear import Linear
from modalloy.errors import RunError
from modalloy.readers.reader import Reader


class Method(Protocol):
    """One classical model of one task; its answers have the form of the task's head.

    A row is answered alone exactly as it is in a batch. Answering needs numpy and the readers
    (series: torch), never scikit-learn.
    """

    @property
    def name(self) -> str:
        """What it is called in reports, such as `gradient boosting on plain features`."""

    @property
    def readers(self) -> Mapping[str, Reader]:
        """The readers of the inputs whose cells it looks at."""

    @property
    def inputs(self) -> frozenset[str]:
        """Names of the inputs whose cells it looks at; each reads `readers[name].columns`."""

    @property
    def frozen(self) -> tuple[str, ...]:
        """Inputs of which it wants embeddings, in this order; () for none."""

    def answer(self, cells: Cells, frozen_BF: np.ndarray | None) -> Answer:
        """`probability` (B, C) of classes or labels, or `value` (B,) on the scale of
        `target.truth` (its logarithm with `scale: log`).

        cells: of all columns of its inputs; an empty cell is missing. frozen_BF: embeddings of
        `frozen` side by side, as `Embedded.of` gives them, NaN where a cell is missing; None
        where `frozen` is empty.
        """

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What `method_from_state` needs: JSON, and arrays by name."""


class MethodAnswers(NamedTuple):
    """A method's answers to some rows, and what reports say of its fit; empty for nothing."""

    answer: Answer
    note: str = ""


@dataclass(frozen=True)
class FittedMethod:
    """A `Method`: a fitted model, and the readers of the inputs that it looks at."""

    name: str
    readers: Mapping[str, Reader]
    frozen: tuple[str, ...]
    model: Boosting | Linear

    @property
    def inputs(self) -> frozenset[str]:
        """Names of the inputs whose cells it looks at."""
        return frozenset(self.readers)

    @property
    def note(self) -> str:
        """What reports say of its fit, such as that it stopped early; empty for nothing."""
        return self.model.note if isinstance(self.model, Linear) else ""

    def answer(self, cells: Cells, frozen_BF: np.ndarray | None) -> Answer:
        """As `Method.answer`."""
        blocks = read_blocks(self.readers, cells)
        return self.of_blocks(blocks, frozen_BF, rows_of(cells, frozen_BF))

    def of_blocks(
        self, blocks: Mapping[str, FeatureBlock], frozen_BF: np.ndarray | None, rows: int
    ) -> Answer:
        """Answers where the plain features of its inputs, perhaps of others too, are read."""
        if self.frozen:
            assert frozen_BF is not None, f"{self.name} needs embeddings of {self.frozen}"
            blocks = {**blocks, EMBEDDED: embedded_block(frozen_BF)}
        return self.model.answer(blocks, rows)

    def state(self) -> State:
        """As `Method.state`."""
        meta, arrays = self.model.state()
        kind = "boosting" if isinstance(self.model, Boosting) else "linear"
        own = {"name": self.name, "inputs": sorted(self.readers), "frozen": list(self.frozen)}
        return {**own, "kind": kind, "model": meta}, arrays


def method_from_state(
    meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray], readers: Mapping[str, Reader]
) -> FittedMethod:
    """The method whose `state` this is; readers: those of the run that it is of.

    RunError for a kind of model that this version does not know.
    """
    kinds: dict[str, type[Boosting | Linear]] = {"boosting": Boosting, "linear": Linear}
    if meta["kind"] not in kinds:
        raise RunError(
            f"the run holds a classical model of kind {meta['kind']!r}, which this version does "
            "not know; install the version that trained it"
        )
    own = {name: readers[name] for name in meta["inputs"]}
    model = kinds[meta["kind"]].from_state(meta["model"], arrays)
    return FittedMethod(meta["name"], own, tuple(meta["frozen"]), model)


def answer_all(
    methods: Sequence[FittedMethod], cells: Cells, frozen_BF: np.ndarray | None
) -> list[Answer]:
    """Answers of several methods of one run; plain features of each input are read once."""
    readers = {name: reader for m in methods for name, reader in m.readers.items()}
    blocks = read_blocks(readers, cells)
    rows = rows_of(cells, frozen_BF)
    return [m.of_blocks(blocks, frozen_BF, rows) for m in methods]


def rows_of(cells: Cells, frozen_BF: np.ndarray | None) -> int:
    """How many rows are asked; cells may be without a column where all inputs are embedded."""
    return len(cells) if frozen_BF is None else len(frozen_BF)
