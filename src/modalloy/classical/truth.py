"""What one task wants of some rows: its options, its class names, and the right answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

import numpy as np

from modalloy.classical.rows import CellsOf
from modalloy.job import config
from modalloy.tasks.kit import kit_of

Options = TypeVar("Options", bound=config.TaskOptions)


@dataclass
class TaskTruth:
    """Right answers of some rows in the form of `target.truth`, None where one is unknown."""

    options: config.TaskOptions
    names: list[str] | None
    truth: list[Any]

    def take(self, at: np.ndarray) -> Self:
        """Some of the rows."""
        return replace(self, truth=[self.truth[i] for i in at])

    def known(self, at: np.ndarray) -> np.ndarray:
        """Those of these positions whose truth is known."""
        return np.array([i for i in at if self.truth[i] is not None], dtype=np.int64)

    def numbers(self, at: np.ndarray) -> np.ndarray:
        """Truth of these rows of a regress task, (n,)."""
        return np.array([float(self.truth[i]) for i in at])

    def labels(self, at: np.ndarray) -> np.ndarray:
        """Classes of these rows as zeros and ones, (n, C); those not in `names` are left out."""
        index = {n: c for c, n in enumerate(self.names or ())}
        y_NC = np.zeros((len(at), len(index)))
        for y_C, i in zip(y_NC, at, strict=True):
            for name in self.truth[i] if self.several else [self.truth[i]]:
                if str(name) in index:
                    y_C[index[str(name)]] = 1.0
        return y_NC

    def varies(self, at: np.ndarray) -> bool:
        """Whether these rows have more than one truth."""
        return len({str(self.truth[i]) for i in at}) > 1

    @property
    def one_answer(self) -> bool:
        """Whether the task gives one answer a row: classes, labels or a number."""
        return kit_of(self.options).whole_row

    @property
    def numeric(self) -> bool:
        """Whether its answers are numbers."""
        return kit_of(self.options).numbers

    @property
    def absolute(self) -> bool:
        """Whether errors cost what they are, not their squares."""
        return getattr(self.options, "loss", "squared") == "absolute"

    @property
    def class_weight(self) -> str | None:
        """Classes weigh as they do in the model's training; as scikit-learn calls it."""
        balanced = getattr(self.options, "class_weights", "none") == "balanced"
        return "balanced" if balanced else None

    @property
    def several(self) -> bool:
        """Whether a row may have several labels."""
        return self.options.several


def truth_of_rows(
    options: config.TaskOptions, target: Any, cells_of: CellsOf, rows: np.ndarray
) -> TaskTruth:
    """Right answers of these rows, as the task's target reader reads them."""
    names = getattr(target, "names", None)
    truth: Sequence[Any] = target.truth(cells_of(target.columns, rows))
    return TaskTruth(options, None if names is None else [str(n) for n in names], list(truth))


def without_quantiles(options: Options) -> Options:
    """What a classical model is judged by: it has no quantiles and no distribution."""
    alone = {"quantiles": (), "distribution": "none", "order": None}
    given = {k: v for k, v in alone.items() if getattr(options, k, v) != v}
    return options.model_copy(update=given) if given else options
