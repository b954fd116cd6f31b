"""Mean answers of the training rows of each name, in folds, so that no row is shown its own answer.

Target statistics of a category (Micci-Barreca 2001, "A preprocessing scheme for high-cardinality
categorical attributes"): a name of three rows says something from the first step on, where a
learned vector would have to find it. A training row sees the means of the rows of other folds;
every other row those of all.
"""

from typing import NamedTuple

import numpy as np

FOLDS = 5
STRENGTH = 10.0  # rows with the mean answer that count beside those of a name
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # mixes row numbers (Knuth's multiplicative hashing)


class LearnedAnswers(NamedTuple):
    """What the rows that readers are fitted on answer.

    y_RT: standardised, NaN where not known. fold_R: int64, which of `FOLDS` each row is in.
    """

    y_RT: np.ndarray
    fold_R: np.ndarray


def fold_of(numbers: np.ndarray) -> np.ndarray:
    """The fold of each row or group by its number, int64: whatever their order says is mixed."""
    mixed = (numbers.astype(np.uint64) + np.uint64(1)) * GOLDEN
    return ((mixed >> np.uint64(32)) % np.uint64(FOLDS)).astype(np.int64)


def sums_by_name(x_R: np.ndarray, names: int, answers: LearnedAnswers) -> np.ndarray:
    """Known answers and their sum for each name and fold, (names, FOLDS, 2, T).

    x_R: the number of each row's name; rows below 0 count nowhere.
    """
    y_RT, fold_R = answers
    found = np.zeros((names, FOLDS, 2, y_RT.shape[1]))
    rows = x_R >= 0
    known_RT = np.isfinite(y_RT)
    at = (x_R[rows], fold_R[rows])
    np.add.at(found[:, :, 0], at, known_RT[rows].astype(np.float64))
    np.add.at(found[:, :, 1], at, np.where(known_RT, y_RT, 0.0)[rows])
    return found


def smoothed_means(sums: np.ndarray) -> np.ndarray:
    """How far each name's answers lie from the mean of all, (FOLDS + 1, names, T) float32.

    sums: from `sums_by_name`. Entry k leaves fold k out, the last one nothing. `STRENGTH` rows with
    the mean of all are added to each name, so that one without a row is at 0.
    """
    all_N2T = sums.sum(1)
    kept = np.concatenate([all_N2T - sums.transpose(1, 0, 2, 3), all_N2T[None]])
    count_FNT, sum_FNT = kept[:, :, 0], kept[:, :, 1]
    mean_F1T = sum_FNT.sum(1, keepdims=True) / np.maximum(count_FNT.sum(1, keepdims=True), 1.0)
    far_FNT = (sum_FNT - count_FNT * mean_F1T) / (count_FNT + STRENGTH)
    return far_FNT.astype(np.float32)
