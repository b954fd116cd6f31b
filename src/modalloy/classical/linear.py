"""Logistic and ridge regression on inputs that are given the same say, and on words.

How strongly they are held back is chosen on held-out training rows.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self, assert_never

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.classical.blocks import FeatureBlock
from modalloy.classical.estimate import Estimate
from modalloy.classical.kept import State, joined, part_of
from modalloy.classical.linear_features import (
    Beside,
    LinearFeatures,
    LinearInput,
    taken,
    to_fit_by,
)
from modalloy.classical.rowwise import product, softmax
from modalloy.classical.texts import products
from modalloy.classical.training_rows import TrainingRows
from modalloy.classical.trees import expit
from modalloy.classical.truth import TaskTruth
from modalloy.classical.tune import Fold, best_of

# Inverse penalties, strongest first. An input's features together have variance 1, words norm 1.
STRENGTHS = (0.1, 1.0, 5.0, 25.0, 125.0, 625.0, 3125.0, 1e5)
MOST_STEPS = 300
SOLVE_AT_ONCE = 1000  # features up to which ridge regression is solved exactly
STOPPED = "stopped before it had converged"


@dataclass(frozen=True)
class LinearMap:
    """Weights of V words and then of G features, (V + G, K), and where each answer starts (K,)."""

    link: Literal["identity", "logit", "softmax"]
    w_GK: np.ndarray
    start_K: np.ndarray

    @classmethod
    def of(cls, model: Any) -> Self:
        """The map of a fitted Ridge or LogisticRegression."""
        classes = len(getattr(model, "classes_", ()))
        w_GK = np.ascontiguousarray(np.atleast_2d(model.coef_).T)
        link = "identity" if not classes else "logit" if classes == 2 else "softmax"
        return cls(link, w_GK, np.atleast_1d(model.intercept_).astype(np.float64))

    def predict(self, x: LinearInput) -> np.ndarray:
        """Numbers (B,), or probabilities (B, 2) or (B, K)."""
        if isinstance(x, Beside):
            words = len(self.w_GK) - x.dense_BG.shape[1]
            raw_BK = products(x.words, self.w_GK[:words]) + product(x.dense_BG, self.w_GK[words:])
        else:
            raw_BK = product(x, self.w_GK)
        raw_BK += self.start_K
        match self.link:
            case "identity":
                return raw_BK[:, 0]
            case "logit":
                p_B = expit(raw_BK[:, 0])
                return np.stack([1 - p_B, p_B], axis=1)
            case "softmax":
                return softmax(raw_BK)
            case _:
                assert_never(self.link)

    def state(self) -> State:
        """What `from_state` needs: JSON, and arrays by name."""
        return {"link": self.link}, {"w_GK": self.w_GK, "start_K": self.start_K}

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The map whose `state` this is."""
        fields: dict[str, Any] = {**meta, **arrays}
        return cls(**fields)


@dataclass(frozen=True)
class Linear:
    """Features of the inputs, and their weights. note: whether the last fit stopped early."""

    features: LinearFeatures
    estimate: Estimate
    note: str = ""

    @classmethod
    def fit(cls, rows: TrainingRows, *, words: bool) -> Self:
        """The penalty chosen on held-out ones of these rows, then all of them learned from.

        words: each word of text inputs has a weight, else their leading directions have.
        """
        features = LinearFeatures.fit(rows, words=words)
        x = features.apply(rows.blocks, len(rows.every))
        return cls(features, *fit_tuned(rows, x))

    def answer(self, blocks: Mapping[str, FeatureBlock], rows: int) -> Answer:
        """Answers to so many rows."""
        return self.estimate.answer(self.features.apply(blocks, rows), rows)

    def state(self) -> State:
        """What `from_state` needs: JSON, and arrays by name."""
        meta, arrays = joined({"features": self.features.state(), "weights": self.estimate.state()})
        return {**meta, "note": self.note}, arrays

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The linear model whose `state` this is."""
        features = LinearFeatures.from_state(*part_of(meta, arrays, "features"))
        estimate = Estimate.from_state(LinearMap, *part_of(meta, arrays, "weights"))
        return cls(features, estimate, meta["note"])


def fit_tuned(rows: TrainingRows, x: LinearInput) -> tuple[Estimate, str]:
    """The model of the best penalty, and a note if its fit stopped early."""
    task = rows.task
    fit = partial(ridge if task.numeric else logistic, task, to_fit_by(x))

    def answer_of(strength: float, fold: Fold) -> Answer:
        return fit(strength, fold.fit)[0].answer(taken(x, fold.check), len(fold.check))

    return fit(best_of(task, STRENGTHS, answer_of, rows.folds), rows.every)


def logistic(task: TaskTruth, x: Any, strength: float, at: np.ndarray) -> tuple[Estimate, str]:
    """Logistic regression with this inverse penalty; a note if it stopped early."""
    from sklearn.exceptions import ConvergenceWarning  # answering does without
    from sklearn.linear_model import LogisticRegression

    options: dict[str, Any] = {"max_iter": MOST_STEPS, "tol": 1e-3}
    options |= {"C": strength, "class_weight": task.class_weight}

    def fit(rows: np.ndarray, y_N: np.ndarray) -> LinearMap:
        return LinearMap.of(LogisticRegression(**options).fit(x[rows], y_N))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        estimate = Estimate.fit(task, fit, at)
    stopped = any(issubclass(w.category, ConvergenceWarning) for w in caught)
    return estimate, STOPPED if stopped else ""


def ridge(task: TaskTruth, x: Any, strength: float, at: np.ndarray) -> tuple[Estimate, str]:
    """Ridge regression with this inverse penalty."""
    from sklearn.linear_model import Ridge  # answering does without

    exact = isinstance(x, np.ndarray) and x.shape[1] <= SOLVE_AT_ONCE
    solver = "cholesky" if exact else "sparse_cg"

    def fit(rows: np.ndarray, y_N: np.ndarray) -> LinearMap:
        return LinearMap.of(Ridge(alpha=1 / strength, solver=solver).fit(x[rows], y_N))

    return Estimate.fit(task, fit, at), ""
