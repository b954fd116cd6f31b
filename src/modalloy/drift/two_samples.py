"""Whether a classifier can tell new rows from old ones (Lopez-Paz & Oquab 2017, 1610.06545), and
which of the new rows it tells best."""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr
from scipy.stats import rankdata

PULL = 0.1  # of the mean variance, that covariances are shrunk by


class Told(NamedTuple):
    """How well rows are told apart. auc: the chance that a new row scores above an old one, each
    scored by a half that it is not in. chance: of so much where nothing drifted. old_N, new_M: the
    scores, larger for rows least like the old ones, whose mean is 0."""

    auc: float
    chance: float
    old_N: np.ndarray
    new_M: np.ndarray


def tell_apart(old_NF: np.ndarray, new_MF: np.ndarray, *, draw: np.random.Generator) -> Told:
    """By a linear discriminant on the dimensions and their squares, in two halves.

    The chance is Mann & Whitney's of the mean over both halves, whose deviation is at most that of
    one: each half is scored along what tells the other one apart, so that they err together.
    """
    if min(len(old_NF), len(new_MF)) < 8:
        return Told(0.5, 1.0, np.zeros(len(old_NF)), np.zeros(len(new_MF)))
    x_RF = np.concatenate([old_NF, new_MF]).astype(np.float64)
    deviation_F = x_RF.std(0)
    x_RF = (x_RF - x_RF.mean(0)) / np.where(deviation_F > 0, deviation_F, 1.0)
    x_RF = np.concatenate([x_RF, np.minimum(x_RF**2, 9.0)], axis=1)
    new_R = np.arange(len(x_RF)) >= len(old_NF)
    half_R = np.zeros(len(x_RF), dtype=int)
    for side_R in (~new_R, new_R):
        own = draw.permutation(np.flatnonzero(side_R))
        half_R[own[: len(own) // 2]] = 1
    score_R, found, aucs = np.zeros(len(x_RF)), [], []
    for half in (0, 1):
        here_R = half_R == half
        weight_F = discriminant(x_RF[~here_R & ~new_R], x_RF[~here_R & new_R])
        score_R[here_R] = x_RF[here_R] @ weight_F
        auc, z = mann_whitney(score_R[here_R & ~new_R], score_R[here_R & new_R])
        score_R[here_R] -= score_R[here_R & ~new_R].mean()
        found.append(z)
        aucs.append(auc)
    chance = float(ndtr(-np.mean(found)))
    return Told(float(np.mean(aucs)), max(chance, 1e-300), score_R[~new_R], score_R[new_R])


def discriminant(old_NF: np.ndarray, new_MF: np.ndarray) -> np.ndarray:
    """Fisher's direction with a covariance shrunk towards the mean variance, (F,)."""
    inside = np.concatenate([old_NF - old_NF.mean(0), new_MF - new_MF.mean(0)])
    cover_FF = inside.T @ inside / max(len(inside) - 2, 1)
    mean = float(np.trace(cover_FF)) / len(cover_FF) or 1.0
    shrunk_FF = (1.0 - PULL) * cover_FF + PULL * mean * np.eye(len(cover_FF))
    return np.linalg.solve(shrunk_FF, new_MF.mean(0) - old_NF.mean(0))


def mann_whitney(old_N: np.ndarray, new_M: np.ndarray) -> tuple[float, float]:
    """The share of pairs in which the new one is larger, and how many deviations above a half that
    is, ties accounted for."""
    n, m = len(old_N), len(new_M)
    rank_R = rankdata(np.concatenate([old_N, new_M]))
    auc = (rank_R[n:].sum() - m * (m + 1) / 2.0) / (n * m)
    _, ties = np.unique(rank_R, return_counts=True)
    tied = float((ties.astype(np.float64) ** 3 - ties).sum()) / ((n + m) * (n + m - 1.0))
    variance = (n + m + 1 - tied) / (12.0 * n * m)
    return float(auc), float((auc - 0.5) / np.sqrt(variance)) if variance > 0 else 0.0
