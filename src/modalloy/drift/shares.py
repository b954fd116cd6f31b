"""Tests of counts: Pearson's chi-square of names, Fisher's exact test of one share, and the
population stability index."""

import numpy as np
from scipy.stats import chi2, fisher_exact

from modalloy.drift.ks import Compared
from modalloy.drift.sketch import Sketch

EXPECTED = 5.0  # rows that a name must let one expect on both sides, else it is one of the rest
BINS = 10  # of a number, with as many training rows each


def chi_square(old_C: np.ndarray, new_C: np.ndarray) -> Compared:
    """Whether two sets of counts are of one distribution; the size is Cramér's V.

    Names that are too rare for the test on either side are counted together.
    """
    old_C, new_C = np.asarray(old_C, np.float64), np.asarray(new_C, np.float64)
    every, rows = old_C.sum(), new_C.sum()
    if not every or not rows:
        return Compared(0.0, 1.0)
    both_C = old_C + new_C
    enough_C = both_C * min(every, rows) / (every + rows) >= EXPECTED
    table_2K = np.stack([np.append(c[enough_C], c[~enough_C].sum()) for c in (old_C, new_C)])
    rest = table_2K[:, -1].sum() * min(every, rows) / (every + rows)
    if rest < EXPECTED:  # nothing, or too few even together
        table_2K = table_2K[:, :-1]
    if table_2K.shape[1] < 2:
        return Compared(0.0, 1.0)
    total = table_2K.sum()
    hoped_2K = table_2K.sum(1, keepdims=True) * table_2K.sum(0) / total
    statistic = float(((table_2K - hoped_2K) ** 2 / hoped_2K).sum())
    return Compared(
        float(np.sqrt(statistic / total)), float(chi2.sf(statistic, table_2K.shape[1] - 1))
    )


def one_share(old: int, old_rows: int, new: int, new_rows: int) -> Compared:
    """Whether a share has changed, by Fisher's exact test; the size is the change in the share."""
    if not old_rows or not new_rows:
        return Compared(0.0, 1.0)
    table = [[old, old_rows - old], [new, new_rows - new]]
    return Compared(new / new_rows - old / old_rows, float(fisher_exact(table)[1]))


def stability(old_C: np.ndarray, new_C: np.ndarray) -> float:
    """The population stability index: below 0.1 little has changed, above 0.25 much.

    Half a row is added to each count, so that an empty one is not infinite.
    """
    old_C, new_C = np.asarray(old_C, np.float64) + 0.5, np.asarray(new_C, np.float64) + 0.5
    old_C, new_C = old_C / old_C.sum(), new_C / new_C.sum()
    return float(((new_C - old_C) * np.log(new_C / old_C)).sum())


def stability_of(sketch: Sketch, x_N: np.ndarray) -> float:
    """The same of numbers, in bins of as many training rows each."""
    x_N = x_N[np.isfinite(x_N)]
    if not len(x_N) or not sketch.count:
        return 0.0
    edges = np.unique([sketch.at(share) for share in np.linspace(0.0, 1.0, BINS + 1)[1:-1]])
    old = np.diff(np.concatenate([[0.0], sketch.below(edges), [1.0]])) * sketch.count
    new = np.bincount(np.searchsorted(edges, x_N, "left"), minlength=len(edges) + 1)
    return stability(old, new)
