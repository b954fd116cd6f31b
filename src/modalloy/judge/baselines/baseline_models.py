"""The outline of a simple method: its task's truth, and answers in the form of the model's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from modalloy.answer.answers import Answer
from modalloy.cells.cells import empty
from modalloy.classical.estimate import Estimate
from modalloy.classical.rows import CellsOf
from modalloy.classical.truth import TaskTruth, truth_of_rows
from modalloy.job import config
from modalloy.judge.baselines.baseline import baseline_of
from modalloy.readers.text import to_words

LEAVES = 32


@dataclass
class BaselineTask(TaskTruth):
    """What one task wants of the sampled rows: options, class names, truth, words to tag."""

    words: list[list[str]]

    @classmethod
    def read(
        cls, options: config.TaskOptions, target: Any, cells_of: CellsOf, rows: np.ndarray
    ) -> "BaselineTask":
        """Truth of these rows; a simple method has no quantiles to be judged by."""
        of = baseline_of(options)
        options, on = of.asked(options), of.words_of(options)
        known = truth_of_rows(options, target, cells_of, rows)
        words = [as_words(c) for c in cells_of((on,), rows)[on]] if on else []
        return cls(options, known.names, known.truth, words)


def as_words(cell: Any) -> list[str]:
    """Words of a tokens cell, none where it is empty or unreadable."""
    words = [] if empty(cell) else to_words(cell)
    return [] if isinstance(words, str) else words


class Tree(NamedTuple):
    """A fitted decision tree of scikit-learn."""

    model: DecisionTreeClassifier | DecisionTreeRegressor

    def predict(self, x_BF: np.ndarray) -> np.ndarray:
        """Numbers (B,), or probabilities of its classes (B, C)."""
        if isinstance(self.model, DecisionTreeClassifier):
            return np.asarray(self.model.predict_proba(x_BF))
        return self.model.predict(x_BF)


def tree(task: TaskTruth, x_NF: np.ndarray, x_BF: np.ndarray, seed: int) -> Answer:
    """A decision tree of at most LEAVES leaves: what one column tells by itself.

    x_NF: features of the task's rows, all of known truth. x_BF: of those that are asked.
    """
    shape: dict[str, Any] = {
        "max_leaf_nodes": LEAVES,
        "min_samples_leaf": min(10, max(1, len(x_NF) // 20)),
        "random_state": seed,
    }

    def fit(rows: np.ndarray, y_N: np.ndarray) -> Tree:
        if task.numeric:
            loss = "absolute_error" if task.absolute else "squared_error"
            return Tree(DecisionTreeRegressor(criterion=loss, **shape).fit(x_NF[rows], y_N))
        model = DecisionTreeClassifier(class_weight=task.class_weight, **shape)
        return Tree(model.fit(x_NF[rows], y_N))

    return Estimate.fit(task, fit, np.arange(len(x_NF))).answer(x_BF, len(x_BF))


def objects(lists: Sequence[Any]) -> np.ndarray:
    """An object array with one list a row."""
    out = np.empty(len(lists), dtype=object)
    for i, one in enumerate(lists):
        out[i] = one
    return out
