"""How well an attacker tells rows that a model learned from by their losses: what an epsilon bounds
in theory, tried.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import norm, rankdata

LEAST = 1e-6  # loss, and deviation of what shadows say
SURE = 1.96  # deviations of 95 %


class Attack(NamedTuple):
    """An attack's area under the curve of members found against others accused: 0.5 is guessing.

    interval: 95 %. members, others: rows of each.
    """

    auc: float
    interval: tuple[float, float]
    members: int
    others: int


def by_loss(members_N: np.ndarray, others_M: np.ndarray) -> Attack:
    """Who has a small loss was learned from (Yeom et al. 2018, 1709.01604)."""
    return area(-members_N, -others_M)


def by_reference(
    members_N: np.ndarray,
    others_M: np.ndarray,
    reference_members_N: np.ndarray,
    reference_others_M: np.ndarray,
) -> Attack:
    """The same beside a model that has learned from none of them: a row that is easy anyway says
    nothing (Watson et al. 2022, 2111.08440).
    """
    return area(reference_members_N - members_N, reference_others_M - others_M)


def by_likelihood(
    loss_N: np.ndarray, member_N: np.ndarray, shadow_SN: np.ndarray, seen_SN: np.ndarray
) -> Attack:
    """The likelihood of a row's confidence under models that saw it against ones that did not.

    LiRA (Carlini et al. 2022, 2112.03570) with one deviation for all rows, as it is with few shadow
    models. member_N: which rows the attacked model learned from. shadow_SN: losses by models
    trained alike; seen_SN: which rows each of these learned from, every row some and not others.
    """
    said_N, said_SN = confidence(loss_N), confidence(shadow_SN)
    inside, outside = said_SN.copy(), said_SN.copy()
    inside[~seen_SN], outside[seen_SN] = np.nan, np.nan
    score_N = likelihood(said_N, inside) - likelihood(said_N, outside)
    return area(score_N[member_N], score_N[~member_N])


def likelihood(said_N: np.ndarray, shadow_SN: np.ndarray) -> np.ndarray:
    """Log likelihood of what is said of each row, under what shadows say of it."""
    mean_N = np.nanmean(shadow_SN, 0)
    count_N = np.isfinite(shadow_SN).sum(0)
    free = max(1, int((count_N - 1).sum()))
    deviation = max(LEAST, float(np.sqrt(np.nansum((shadow_SN - mean_N) ** 2) / free)))
    return norm.logpdf(said_N, mean_N, deviation * np.sqrt(1 + 1 / count_N))


def confidence(loss: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)) of p = exp(-loss), which is nearly normal over models where p is not."""
    loss = np.maximum(loss, LEAST)
    return -loss - np.log(-np.expm1(-loss))


def area(members_N: np.ndarray, others_M: np.ndarray) -> Attack:
    """Area under the curve of two groups of scores, higher for members, and its interval by DeLong
    et al. 1988."""
    n, m = len(members_N), len(others_M)
    rank = rankdata(np.concatenate([members_N, others_M]))
    # How many of the other group each one exceeds, ties counting half.
    above_N = (rank[:n] - rankdata(members_N)) / m
    below_M = 1 - (rank[n:] - rankdata(others_M)) / n
    auc = float(above_N.mean())
    spread = SURE * float(np.sqrt(variance(above_N) / n + variance(below_M) / m))
    return Attack(auc, (max(0.0, auc - spread), min(1.0, auc + spread)), n, m)


def variance(x_N: np.ndarray) -> float:
    """Of a sample; a single one has none."""
    return float(x_N.var(ddof=1)) if len(x_N) > 1 else 0.0
