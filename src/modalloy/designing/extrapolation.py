"""Whether a design lies outside what a surrogate has seen: farther from rows than they are from one
another."""

from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

NEIGHBOURS = 5
SHARE = 0.99  # of the rows, that do not extrapolate among themselves


class Reach(NamedTuple):
    """Rows, and the distance to their nearest ones beyond which a design is an extrapolation."""

    tree: KDTree
    limit: float

    def distances(self, u_MD: np.ndarray) -> np.ndarray:
        """The mean distance to the five nearest rows in units of the limit, (M,)."""
        return mean_distance(self.tree, u_MD, 0) / self.limit

    def extrapolates(self, u_MD: np.ndarray) -> np.ndarray:
        """Which designs lie farther from rows than all but 1 in 100 rows do, bool (M,)."""
        return self.distances(u_MD) > 1.0


def fit_reach(u_ND: np.ndarray) -> Reach:
    """How far apart rows lie in [0, 1]^D."""
    tree = KDTree(u_ND)
    limit = float(np.quantile(mean_distance(tree, u_ND, 1), SHARE)) if len(u_ND) > 1 else 0.0
    return Reach(tree, max(limit, 1e-9))


def mean_distance(tree: KDTree, u_MD: np.ndarray, passed: int) -> np.ndarray:
    """The mean distance to the nearest rows after passing some: a row is its own nearest."""
    count = min(NEIGHBOURS, tree.n - passed)
    distance_MK = tree.query(u_MD, k=np.arange(1 + passed, 1 + passed + count))[0]
    return distance_MK.mean(1)
