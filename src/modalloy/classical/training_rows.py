"""What classical models are fitted on: rows with known answers, and features of their inputs."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np

from modalloy.classical.blocks import FeatureBlock
from modalloy.classical.truth import TaskTruth
from modalloy.classical.tune import Fold, folds_of


class TrainingRows(NamedTuple):
    """N rows. blocks: by input. together: a label a row, equal where rows belong together."""

    task: TaskTruth
    blocks: Mapping[str, FeatureBlock]
    together: Sequence[str] | None
    seed: int

    @property
    def every(self) -> np.ndarray:
        """Positions of all rows, (N,)."""
        return np.arange(len(self.task.truth))

    @property
    def folds(self) -> list[Fold]:
        """What settings are chosen by."""
        return folds_of(self.every, self.together, self.seed)

    def take(self, at: np.ndarray) -> Self:
        """Some of the rows."""
        return self._replace(
            task=self.task.take(at),
            blocks={name: block.take(at) for name, block in self.blocks.items()},
            together=None if self.together is None else [self.together[i] for i in at],
        )
