"""Mean answers of the rows that have each name of a category, for categories of many names.

Means of few rows are drawn towards the mean of all by as much as names differ less than rows of one
name do (empirical Bayes; Micci-Barreca 2001, doi:10.1145/507533.507538). Training rows get means of
other rows alone: their own answers would tell them what to answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from modalloy.classical.kept import State
from modalloy.classical.truth import TaskTruth
from modalloy.classical.tune import folds_of

MANY = 16  # names beyond which a category has means beside its codes
MOST_CLASSES = 8  # of more classes each name would have as many means
LIMITS = (1.0, 100.0)  # rows that the mean of all counts as, beside those of a name


@dataclass(frozen=True)
class TargetMeans:
    """Means of K answers for each known code; all others have the overall ones."""

    code_C: np.ndarray
    mean_CK: np.ndarray
    overall_K: np.ndarray

    @classmethod
    def fit(cls, code_N: np.ndarray, y_NK: np.ndarray) -> Self:
        """code_N: NaN where there is none."""
        known = np.isfinite(code_N)
        overall_K = y_NK.mean(0)
        code_C, at_N, count_C = np.unique(code_N[known], return_inverse=True, return_counts=True)
        sum_CK = np.zeros((len(code_C), y_NK.shape[1]))
        np.add.at(sum_CK, at_N, y_NK[known])
        mean_CK = sum_CK / count_C[:, None]
        prior_K = prior_rows(y_NK[known], mean_CK, at_N, count_C)
        weighed_CK = (sum_CK + prior_K * overall_K) / (count_C[:, None] + prior_K)
        return cls(code_C, weighed_CK, overall_K)

    def apply(self, code_B: np.ndarray) -> np.ndarray:
        """Means (B, K), NaN where there is no code."""
        out_BK = np.tile(self.overall_K, (len(code_B), 1))
        if len(self.code_C):
            at_B = np.searchsorted(self.code_C, code_B).clip(0, len(self.code_C) - 1)
            same_B = self.code_C[at_B] == code_B
            out_BK[same_B] = self.mean_CK[at_B[same_B]]
        out_BK[~np.isfinite(code_B)] = np.nan
        return out_BK

    def state(self) -> State:
        """What `from_state` needs: JSON, and arrays by name."""
        return {}, dict(vars(self))

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The means whose `state` this is."""
        return cls(**arrays)


def prior_rows(
    y_NK: np.ndarray, mean_CK: np.ndarray, at_N: np.ndarray, count_C: np.ndarray
) -> np.ndarray:
    """Variance within names over the variance between them, (K,), within LIMITS.

    Both as the analysis of variance estimates them.
    """
    rows, names = len(y_NK), len(count_C)
    if rows <= names or names < 2:
        return np.full(y_NK.shape[1], LIMITS[1])
    within_K = ((y_NK - mean_CK[at_N]) ** 2).sum(0) / (rows - names)
    spread_CK = (mean_CK - y_NK.mean(0)) ** 2
    usual = (rows - (count_C**2).sum() / rows) / (names - 1)  # rows of a name
    between_K = ((count_C[:, None] * spread_CK).sum(0) / (names - 1) - within_K) / usual
    return np.clip(within_K / np.maximum(between_K, 1e-12), *LIMITS)


def out_of_fold(
    code_N: np.ndarray, y_NK: np.ndarray, together: Sequence[Any] | None, seed: int
) -> np.ndarray:
    """Means (N, K) for training rows, each by rows of other parts; rows together stay together."""
    out_NK = np.where(np.isfinite(code_N)[:, None], y_NK.mean(0), np.nan)
    for fold in folds_of(np.arange(len(code_N)), together, seed, every=True):
        fitted = TargetMeans.fit(code_N[fold.fit], y_NK[fold.fit])
        out_NK[fold.check] = fitted.apply(code_N[fold.check])
    return out_NK


def amounts(task: TaskTruth) -> np.ndarray:
    """What means are taken of, (N, K): numbers, or whether a row has each class; none of many."""
    every = np.arange(len(task.truth))
    if task.numeric:
        return task.numbers(every)[:, None]
    y_NC = task.labels(every)
    if y_NC.shape[1] > MOST_CLASSES:
        return y_NC[:, :0]
    return y_NC[:, 1:] if y_NC.shape[1] == 2 and not task.several else y_NC
