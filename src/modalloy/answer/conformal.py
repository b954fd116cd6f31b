"""Split-conformal prediction: how unlike an answer every possible truth is, and the threshold below
which the truth lies in a stated share of rows.

Whatever the model, a row of the same kind as the N that the threshold was taken from lies below it
with the stated chance, on average over such N rows (Vovk et al. 2005; Lei et al. 2018, arXiv
1604.04173). All scores here depend on one row's answer alone.
"""

from math import ceil
from typing import Literal, assert_never

import numpy as np

Sets = Literal["lac", "aps", "raps"]

CLOSE = 1e-8  # scores that differ by less are the same
HALF = 0.5  # of its own probability that a class is spared by `aps` and `raps`
FREE, PENALTY = 2, 0.1  # `raps`: classes that cost nothing, and what each further one costs


def fewest(coverage: float) -> int:
    """How many scores a threshold for this coverage needs."""
    return max(1, ceil(coverage / (1.0 - coverage) - CLOSE))


def rank(rows: int, coverage: float) -> int:
    """Which of so many scores, the lowest being 1, is the threshold; none where it is above them.

    The finite-sample quantile: ceil((rows + 1) * coverage).
    """
    return ceil((rows + 1) * coverage - CLOSE)


def threshold(score_N: np.ndarray, coverage: float) -> float:
    """The score that another one exceeds in a share of 1 - coverage; infinite for too few scores.

    Scores that are NaN have no part.
    """
    known = np.sort(score_N[~np.isnan(score_N)])
    at = rank(len(known), coverage)
    return float(known[at - 1]) if at <= len(known) else float("inf")


def class_scores(
    probability_BC: np.ndarray, kind: Sets, *, u_B: np.ndarray | float = HALF
) -> np.ndarray:
    """How unlike its answer each class of each row is, (B, C) float64.

    `lac`: 1 minus its probability (Sadinle et al. 2019). `aps`: the probability of all classes that
    are likelier, and its own times 1 - u (Romano et al. 2020, arXiv 2006.02544). `raps`: the same,
    and a cost for each class behind the first few (Angelopoulos et al. 2021, arXiv 2009.14193).
    u_B: drawn evenly from 0 to 1 there; ours is a half in every row, which promises the same and
    has a row answered alike each time it is asked.
    """
    p_BC = np.asarray(probability_BC, dtype=np.float64)
    match kind:
        case "lac":
            return 1.0 - p_BC
        case "aps":
            return summed(p_BC, u_B)
        case "raps":
            return summed(p_BC, u_B) + penalties(p_BC, FREE, PENALTY)
        case _:
            assert_never(kind)


def summed(p_BC: np.ndarray, u_B: np.ndarray | float) -> np.ndarray:
    """The probability of likelier classes and of the class itself, less u times its own."""
    order_BC = np.argsort(-p_BC, axis=1, kind="stable")
    sum_BC = np.take_along_axis(p_BC, order_BC, 1).cumsum(1)
    back_BC = np.argsort(order_BC, axis=1, kind="stable")
    spared_B1 = np.broadcast_to(u_B, (len(p_BC),))[:, None]
    return np.take_along_axis(sum_BC, back_BC, 1) - spared_B1 * p_BC


def penalties(p_BC: np.ndarray, free: float, penalty: float) -> np.ndarray:
    """A cost for each place that a class, the likeliest being first, is behind the free ones."""
    order_BC = np.argsort(-p_BC, axis=1, kind="stable")
    place_BC = np.argsort(order_BC, axis=1, kind="stable") + 1
    return penalty * np.maximum(place_BC - free, 0.0)


def within(score_BC: np.ndarray, threshold_B: np.ndarray | float) -> np.ndarray:
    """Which scores do not exceed their row's threshold, bool."""
    limit_B1 = np.broadcast_to(threshold_B, score_BC.shape[:1])[:, None]
    return score_BC <= limit_B1 + CLOSE


def label_scores(probability_BC: np.ndarray, yes_BC: np.ndarray | None = None) -> np.ndarray:
    """1 minus each label's probability, (B, C); NaN where a row does not have the label.

    A threshold a label then promises that a row which has the label shows it, label by label
    (label-conditional conformal prediction, Vovk 2012, arXiv 1209.2673).
    """
    score_BC = 1.0 - np.asarray(probability_BC, dtype=np.float64)
    return score_BC if yes_BC is None else np.where(yes_BC, score_BC, np.nan)


def interval_scores(low_B: np.ndarray, high_B: np.ndarray, truth_B: np.ndarray) -> np.ndarray:
    """How far each number lies outside its interval, below 0 inside; |error| where both ends are
    the answer (Lei et al. 2018), else that of quantiles (Romano et al. 2019, arXiv 1905.03222).
    """
    return np.maximum(low_B - truth_B, truth_B - high_B)


def widened(
    low_B: np.ndarray, high_B: np.ndarray, threshold_B: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    """The intervals of all numbers whose score does not exceed the threshold.

    One that would be empty is left as the numbers between its ends, which covers more.
    """
    one_B, other_B = low_B - threshold_B, high_B + threshold_B
    return np.minimum(one_B, other_B), np.maximum(one_B, other_B)
