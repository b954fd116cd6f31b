"""Numbers so far beyond all others that they are hardly meant."""

import numpy as np

FEW = 0.01  # share of the numbers that may lie beyond the others, one at least
BEYOND = 100.0  # times as far from the median as the farthest of the others
BEYOND_SPARSE = 1e4  # the same where half of the numbers are equal and say nothing of a spread
BEYOND_EQUAL = 1e9  # times the size of all others where those are equal
LARGEST = 1e100  # nothing measured is larger, and its square is still finite


def outlying(x: np.ndarray) -> np.ndarray:
    """Which of these finite numbers lie far beyond all others, (N,) bool.

    They are told by the gap before them, not by their size: long tails have none.
    """
    found = np.zeros(len(x), dtype=bool)
    few = max(1, int(FEW * len(x)))
    if len(x) <= 2 * few:
        return found
    low, middle, high = np.quantile(x / 4, [0.25, 0.5, 0.75])  # quarters do not overflow
    away = np.abs(x / 4 - middle)
    order = np.argsort(away, kind="stable")
    near, far = away[order[-few - 1 : -1]], away[order[-few:]]
    gap = BEYOND if high > low else BEYOND_SPARSE
    with np.errstate(over="ignore"):
        least = np.maximum(abs(middle), 0.25) * BEYOND_EQUAL
        torn = np.where(near > 0, far > gap * near, far > least)
    if torn.any():
        found[order[len(x) - few + int(torn.argmax()) :]] = True
    return found


def times_spread(x: np.ndarray, of: np.ndarray) -> np.ndarray:
    """How many deviations of `of` numbers lie from their median."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        most = max(float(np.abs(of).max(initial=0.0)), 1e-300)  # so that no square overflows
        spread = most * (of / most).std()
        return np.abs(x - np.median(of)) / spread
