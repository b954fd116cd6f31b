"""The Kolmogorov-Smirnov test of numbers against quantiles that were kept of training."""

from typing import NamedTuple

import numpy as np
from scipy.special import kolmogorov

from modalloy.drift.sketch import Sketch


class Compared(NamedTuple):
    """What a test says. size: how different, on the test's own scale; chance: that rows which have
    not drifted differ so much (p-value)."""

    size: float
    chance: float


def ks(sketch: Sketch, x_N: np.ndarray) -> Compared:
    """The largest gap between both distribution functions, and its chance.

    The asymptotic chance with Stephens' correction for few rows (1970). Quantiles say where a
    function lies to one step of them alone, and so much is taken off the gap: with many equal
    numbers, and rounding, the test says too little rather than too much. Nothing known is no gap.
    """
    x_N = np.sort(np.asarray(x_N, dtype=np.float64)[np.isfinite(x_N)])
    if not len(x_N) or not sketch.count:
        return Compared(0.0, 1.0)
    at_M = np.unique(np.concatenate([x_N, sketch.points_K]))
    own_M = np.searchsorted(x_N, at_M, "right") / len(x_N)
    under_M = np.searchsorted(x_N, at_M, "left") / len(x_N)
    gaps = np.abs(own_M - sketch.below(at_M)), np.abs(under_M - sketch.below(at_M, strictly=True))
    size = max(float(max(g.max() for g in gaps)) - sketch.resolution, 0.0)
    rows = np.sqrt(len(x_N) * sketch.count / (len(x_N) + sketch.count))
    return Compared(size, float(kolmogorov((rows + 0.12 + 0.11 / rows) * size)))
