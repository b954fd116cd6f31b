"""What a model of classes or labels must beat: their shares, and the methods of rows."""

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.judge.baselines.baseline_models import BaselineTask
from modalloy.judge.baselines.rows import RowBaseline


class ClassBaseline(RowBaseline):
    """Simple methods for `classify`."""

    def constant(
        self, goal: BaselineTask, train: np.ndarray, test: np.ndarray
    ) -> tuple[str, Answer]:
        """Each class's share of the training rows."""
        name = "each label's share" if goal.several else "always the commonest class"
        return name, {"probability": np.tile(goal.labels(train).mean(0), (len(test), 1))}
