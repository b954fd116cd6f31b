"""The outline of a simple method: its task's truth, and answers in the form of the model's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array, csr_matrix
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from modalloy.answer.answers import Answer
from modalloy.cells.cells import empty
from modalloy.classical.rows import CellsOf
from modalloy.job import config
from modalloy.judge.baselines.baseline import baseline_of
from modalloy.readers.text import to_words
from modalloy.tasks.kit import kit_of

LEAVES = 32

Features = np.ndarray | csr_matrix | csr_array


@dataclass
class BaselineTask:
    """What one task wants of the sampled rows: options, class names, truth, words to tag."""

    options: config.TaskOptions
    names: list[str] | None
    truth: list[Any]
    words: list[list[str]]

    @classmethod
    def read(
        cls, options: config.TaskOptions, target: Any, cells_of: CellsOf, rows: np.ndarray
    ) -> "BaselineTask":
        """Truth of these rows; a simple method has no quantiles to be judged by."""
        of = baseline_of(options)
        options, on = of.asked(options), of.words_of(options)
        truth = list(target.truth(cells_of(target.columns, rows)))
        names = getattr(target, "names", None)
        words = [as_words(c) for c in cells_of((on,), rows)[on]] if on else []
        return cls(options, None if names is None else [str(n) for n in names], truth, words)

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


def as_words(cell: Any) -> list[str]:
    """Words of a tokens cell, none where it is empty or unreadable."""
    words = [] if empty(cell) else to_words(cell)
    return [] if isinstance(words, str) else words


def varies(goal: BaselineTask, train: np.ndarray) -> bool:
    """Whether training rows have more than one truth."""
    return len({str(goal.truth[i]) for i in train}) > 1


def tree(
    goal: BaselineTask, x_BF: np.ndarray, train: np.ndarray, test: np.ndarray, seed: int
) -> Answer:
    """A decision tree of at most LEAVES leaves: what one column tells by itself."""
    shape: dict[str, Any] = {
        "max_leaf_nodes": LEAVES,
        "min_samples_leaf": min(10, max(1, len(train) // 20)),
        "random_state": seed,
    }
    if goal.numeric:
        loss = "absolute_error" if goal.absolute else "squared_error"
        model: Any = DecisionTreeRegressor(criterion=loss, **shape)
        return {"value": model.fit(x_BF[train], goal.numbers(train)).predict(x_BF[test])}
    shape["class_weight"] = goal.class_weight
    y_NC = goal.labels(train)
    return each_class(goal, lambda: DecisionTreeClassifier(**shape), x_BF, y_NC, train, test)


def each_class(
    goal: BaselineTask,
    make: Callable[[], Any],
    x_BF: Features,
    y_NC: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
) -> Answer:
    """Probabilities of all classes, (n, C): one model for all, or one a label for several.

    A class or label that all training rows have, or none, needs no model.
    """
    out_NC = np.tile(y_NC.mean(0), (len(test), 1))
    if goal.several:
        for c in np.flatnonzero((y_NC.min(0) < 1) & (y_NC.max(0) > 0)):
            model = make().fit(x_BF[train], y_NC[:, c].astype(int))
            out_NC[:, c] = model.predict_proba(x_BF[test])[:, 1]
        return {"probability": out_NC}
    rows = y_NC.any(1)
    y_N = y_NC.argmax(1)
    if len(np.unique(y_N[rows])) < 2:
        return {"probability": out_NC}
    model = make().fit(x_BF[train[rows]], y_N[rows])
    out_NC[:] = 0.0
    out_NC[:, model.classes_] = model.predict_proba(x_BF[test])
    return {"probability": out_NC}


def varied(x_BF: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Which features differ between training rows, (F,); the first one where none does."""
    x_NF = x_BF[train]
    known_NF = np.isfinite(x_NF)
    low_F = np.where(known_NF, x_NF, np.inf).min(0, initial=np.inf)
    high_F = np.where(known_NF, x_NF, -np.inf).max(0, initial=-np.inf)
    found = (low_F < high_F) | (known_NF.any(0) & ~known_NF.all(0))
    if not found.any():
        found[:1] = True
    return found


def objects(lists: Sequence[Any]) -> np.ndarray:
    """An object array with one list a row."""
    out = np.empty(len(lists), dtype=object)
    for i, one in enumerate(lists):
        out[i] = one
    return out
