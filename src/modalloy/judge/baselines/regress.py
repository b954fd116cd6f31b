"""What a model of numbers must beat: their mean, and the methods of rows."""

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.classical.truth import without_quantiles
from modalloy.job import config
from modalloy.judge.baselines.baseline_models import BaselineTask
from modalloy.judge.baselines.rows import RowBaseline


class NumberBaseline(RowBaseline):
    """Simple methods for `regress`."""

    def constant(
        self, goal: BaselineTask, train: np.ndarray, test: np.ndarray
    ) -> tuple[str, Answer]:
        """The mean."""
        mean = goal.numbers(train).mean()
        return "mean of the training rows", {"value": np.full(len(test), mean)}

    def asked(self, options: config.Regress) -> config.Regress:
        """A simple method has no quantiles."""
        return without_quantiles(options)
