"""Whether two clouds of vectors are of one distribution: maximum mean discrepancy (Gretton et al.
2012, JMLR 13) with a permutation test."""

import numpy as np
from scipy.stats import pearson3

from modalloy.drift.ks import Compared

SHUFFLES = 200  # of all rows, that say what is ordinary
FEW = 10  # shuffles beyond the statistic, from which their share alone is its chance


def mmd(old_NF: np.ndarray, new_MF: np.ndarray, *, draw: np.random.Generator) -> Compared:
    """The unbiased squared discrepancy with a Gaussian kernel as wide as the median distance, and
    its chance.

    Of a statistic beyond nearly all shuffles the chance is that of a Pearson III distribution with
    the shuffles' mean, deviation and skewness (Minas & Montana 2014, 1310.3128), so that it can be
    small without many thousand shuffles. Dimensions are scaled by the deviation of all rows.
    """
    n, m = len(old_NF), len(new_MF)
    if min(n, m) < 2:
        return Compared(0.0, 1.0)
    kernel_RR = kernel(np.concatenate([old_NF, new_MF]))
    np.fill_diagonal(kernel_RR, 0.0)
    mine_RS = np.zeros((n + m, SHUFFLES + 1), dtype=np.float32)
    mine_RS[:n, 0] = 1.0
    for s in range(1, SHUFFLES + 1):
        mine_RS[draw.permutation(n + m)[:n], s] = 1.0
    toward_RS = kernel_RR @ mine_RS
    whole_R = kernel_RR.sum(1, dtype=np.float64)
    both_S = (mine_RS * toward_RS).sum(0, dtype=np.float64)
    mine_S = mine_RS.T.astype(np.float64) @ whole_R
    across_S = mine_S - both_S
    other_S = whole_R.sum() - both_S - 2.0 * across_S
    found_S = both_S / (n * (n - 1)) + other_S / (m * (m - 1)) - 2.0 * across_S / (n * m)
    return Compared(float(found_S[0]), tail(float(found_S[0]), found_S[1:]))


def kernel(x_RF: np.ndarray) -> np.ndarray:
    """Gaussian similarities of all pairs, (R, R) float32."""
    deviation_F = x_RF.std(0)
    kept_F = deviation_F > 1e-12 * max(float(deviation_F.max(initial=0.0)), 1e-300)
    z_RF = (x_RF[:, kept_F] - x_RF[:, kept_F].mean(0)) / deviation_F[kept_F]
    z_RF = z_RF.astype(np.float32)
    square_R = (z_RF**2).sum(1)
    apart_RR = np.maximum(square_R[:, None] + square_R - 2.0 * z_RF @ z_RF.T, 0.0)
    middle = float(np.median(apart_RR[np.triu_indices(len(apart_RR), 1)])) or 1.0
    return np.exp(-apart_RR / middle, dtype=np.float32)


def tail(found: float, shuffled_S: np.ndarray) -> float:
    """The chance of a statistic this large or larger."""
    beyond = int((shuffled_S >= found).sum())
    if beyond >= FEW or not shuffled_S.std():
        return (beyond + 1) / (len(shuffled_S) + 1)
    z_S = (shuffled_S - shuffled_S.mean()) / shuffled_S.std()
    z = (found - shuffled_S.mean()) / shuffled_S.std()
    lean = max(float((z_S**3).mean()), 0.0)  # a discrepancy without drift never leans the other way
    return float(np.clip(pearson3.sf(z, lean), 1e-300, 1.0))
