"""Benjamini & Hochberg's control of false discoveries (1995)."""

from collections.abc import Sequence

import numpy as np


def discoveries(chances: Sequence[float], level: float) -> np.ndarray:
    """Which of these tests have found something, bool.

    At most `level` of what is found is expected to be nothing, of independent tests and of those
    that err together (Benjamini & Yekutieli 2001). Where nothing has drifted at all, anything is
    found with a chance of at most `level`.
    """
    chance_T = np.asarray(chances, dtype=np.float64)
    order = np.argsort(chance_T, kind="stable")
    passed = chance_T[order] <= level * np.arange(1, len(order) + 1) / max(len(order), 1)
    found_T = np.zeros(len(chance_T), dtype=bool)
    if passed.any():
        found_T[order[: int(np.flatnonzero(passed)[-1]) + 1]] = True
    return found_T
