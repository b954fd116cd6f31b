"""Answers beside the truth, counted once for each row; then figures for any weighting of the rows.

A plain score weighs every row by one; a bootstrap draws the weights. Both run the same code, so an
interval can never be about another figure than the one it stands beside.

Letters: N rows whose truth is known, R weightings, C classes, Q quantiles.
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy import sparse


class Tally(ABC):
    """What each row adds to the figures of one task.

    rows: positions, among the rows handed in, of the N rows whose truth is known.
    """

    rows: np.ndarray

    @abstractmethod
    def figures(self, weight_NR: np.ndarray) -> dict[str, np.ndarray]:
        """Each figure under R weightings of the rows, (R,); NaN where it is undefined."""

    def score(self) -> dict[str, float]:
        """Each figure with all rows weighed alike; undefined ones are left out."""
        if not len(self.rows):
            return {}
        whole = self.figures(np.ones((len(self.rows), 1)))
        return {name: float(v[0]) for name, v in whole.items() if np.isfinite(v[0])}


def group_sums(
    group_N: np.ndarray, groups: int, value_N: np.ndarray | None = None
) -> "sparse.csr_array":
    """A (groups, N) matrix whose product with weights sums values (ones by default) by group."""
    from scipy import sparse  # half a second that answers never need

    value_N = np.ones(len(group_N)) if value_N is None else value_N
    columns = np.arange(len(group_N))
    return sparse.csr_array((value_N, (group_N, columns)), shape=(groups, len(group_N)))


def ratio(top: np.ndarray, bottom: np.ndarray, otherwise: float = np.nan) -> np.ndarray:
    """top / bottom, and `otherwise` where the bottom is zero."""
    zero = bottom == 0
    return np.where(zero, otherwise, top / np.where(zero, 1.0, bottom))
