"""Since which row something is different: one change point in a sequence of numbers."""

from typing import NamedTuple

import numpy as np
from scipy.special import kolmogorov

EDGE = 5  # rows at least on both sides of a change


class Change(NamedTuple):
    """Rows from `at` on differ from those before. chance: of so clear a change in a sequence
    without any."""

    at: int
    chance: float


def change_point(x_N: np.ndarray) -> Change | None:
    """The row at which the mean of the ranks changes most, by their cumulative sums (Pettitt 1979);
    None where the sequence is too short or all alike.

    The chance is that of the largest value of a Brownian bridge. NaN is as ordinary as the median.
    """
    x_N = np.where(np.isfinite(x_N), x_N, np.nanmedian(x_N) if np.isfinite(x_N).any() else 0.0)
    if len(x_N) < 2 * EDGE or x_N.min() == x_N.max():
        return None
    _, inverse, counts = np.unique(x_N, return_inverse=True, return_counts=True)
    rank_N = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
    z_N = (rank_N - rank_N.mean()) / rank_N.std()
    bridge_N = np.abs(np.cumsum(z_N)[:-1]) / np.sqrt(len(z_N))
    inside = bridge_N[EDGE - 1 : len(z_N) - EDGE]
    at = int(inside.argmax()) + EDGE
    return Change(at, float(kolmogorov(float(inside.max()))))
