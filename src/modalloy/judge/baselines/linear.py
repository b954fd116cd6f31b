"""Logistic and ridge regression on blocks of features, each block given the same say.

How strongly they are held back is chosen on held-out training rows.
"""

import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
from scipy.sparse import csr_array, csr_matrix, hstack
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from modalloy.answer.answers import Answer
from modalloy.judge.baselines.baseline_models import BaselineTask, Features, each_class
from modalloy.judge.baselines.features import standard
from modalloy.judge.baselines.tune import Fold, best_of

# Inverse penalties, strongest first. A block's features together have variance 1, words norm 1.
STRENGTHS = (0.1, 1.0, 5.0, 25.0, 125.0, 625.0, 3125.0, 1e5)
MOST_STEPS = 300
Kind = Literal["numbers", "codes", "directions"]
FARTHEST = 8.0  # deviations from the mean that a number counts at most
SOLVE_AT_ONCE = 1000  # features up to which ridge regression is solved exactly


def linear(
    goal: BaselineTask, x_BF: Features, train: np.ndarray, test: np.ndarray, folds: Sequence[Fold]
) -> tuple[Answer, str]:
    """Answers to the test rows, and a note if the last fit stopped early."""
    fit = partial(ridge if goal.numeric else logistic, goal, x_BF)
    best = best_of(goal, STRENGTHS, lambda c, fold: fit(c, fold.fit, fold.check)[0], folds)
    return fit(best, train, test)


def logistic(
    goal: BaselineTask, x_BF: Features, strength: float, train: np.ndarray, test: np.ndarray
) -> tuple[Answer, str]:
    """Logistic regression with this inverse penalty; a note if it stopped early."""
    weights = goal.class_weight

    def make() -> Any:
        return LogisticRegression(C=strength, max_iter=MOST_STEPS, tol=1e-3, class_weight=weights)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        answer = each_class(goal, make, x_BF, goal.labels(train), train, test)
    stopped = any(issubclass(w.category, ConvergenceWarning) for w in caught)
    return answer, "stopped before it had converged" if stopped else ""


def ridge(
    goal: BaselineTask, x_BF: Features, strength: float, train: np.ndarray, test: np.ndarray
) -> tuple[Answer, str]:
    """Ridge regression with this inverse penalty."""
    exact = not isinstance(x_BF, csr_matrix | csr_array) and x_BF.shape[1] <= SOLVE_AT_ONCE
    model: Any = Ridge(alpha=1 / strength, solver="cholesky" if exact else "sparse_cg")
    return {"value": model.fit(x_BF[train], goal.numbers(train)).predict(x_BF[test])}, ""


def dense(
    groups: Sequence[Sequence[tuple[np.ndarray, Kind]]], train: np.ndarray, rows: int
) -> np.ndarray:
    """Groups of features, each with what they are, as one matrix, (B, F).

    Each code becomes a feature of its own; an absent number becomes the mean of the training rows,
    beside a feature that says so; each group has variance 1 over all its features together.
    """
    parts = [np.zeros((rows, 1))]  # so that there is one
    for group in groups:
        spread = [part for x_BF, kind in group for part in spread_out(x_BF, train, kind)]
        if spread:
            parts.append(one_variance(np.concatenate(spread, axis=1), train))
    return np.concatenate(parts, axis=1)


def spread_out(x_BF: np.ndarray, train: np.ndarray, kind: Kind) -> list[np.ndarray]:
    """Features that a linear model can use: a feature a code, or standardised numbers.

    Directions stay as they are: the leading ones are the larger for a reason.
    """
    if kind == "directions":
        return [x_BF]
    absent_BF = (~np.isfinite(x_BF)).astype(float)
    said = np.unique(absent_BF, axis=1) if x_BF.shape[1] else absent_BF
    if kind == "codes":
        return [*one_hot(x_BF, train), said]
    # One odd number must not bend the line for all others.
    return [standard(x_BF, train).clip(-FARTHEST, FARTHEST), said]


def one_hot(codes_BF: np.ndarray, train: np.ndarray) -> list[np.ndarray]:
    """Of each column of codes a feature for each code of the training rows."""
    seen = [np.unique(x_B[train][np.isfinite(x_B[train])]) for x_B in codes_BF.T]
    pairs = zip(codes_BF.T, seen, strict=True)
    return [(x_B[:, None] == s).astype(float) for x_B, s in pairs]


def one_variance(x_BF: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Features around the training rows' mean, scaled together."""
    centred_BF = x_BF - x_BF[train].mean(0)
    total = float(centred_BF[train].var(0).sum())
    return centred_BF / total**0.5 if total > 0 else centred_BF


def beside(words_BF: csr_matrix, dense_BF: np.ndarray) -> csr_array:
    """Words and dense features as one sparse matrix."""
    return csr_array(hstack([words_BF, csr_matrix(dense_BF)]))
