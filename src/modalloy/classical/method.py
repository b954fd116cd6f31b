"""What every classical model of a task is once it is fitted: asked of cells, kept as arrays."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.cells.cells import Cells
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
