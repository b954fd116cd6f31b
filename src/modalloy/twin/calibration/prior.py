"""What is known of hidden parameters before rows are seen: bounds, and how sure their defaults are.

Hidden parameters are told as t in [0, 1], from `low` to `high`.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from modalloy.twin.variables import Hidden

# A pull towards the default as of a deviation of three widths. It decides between values that fit
# equally well, more surely than rounding in slopes does, and moves what rows tell by a hundredth of
# its deviation at most.
LEAST_PRECISION = 0.1


class Prior(NamedTuple):
    """K parameters. centre_K: their defaults as t. precision_K: inverse variance around these, in
    widths; LEAST_PRECISION where a parameter is uniform between its bounds.
    """

    names: tuple[str, ...]
    low_K: np.ndarray
    width_K: np.ndarray
    centre_K: np.ndarray
    precision_K: np.ndarray

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return len(self.names)

    def values(self, t_MK: np.ndarray) -> np.ndarray:
        """t in the parameters' own units; never a rounding outside the bounds."""
        x_MK = self.low_K + np.asarray(t_MK) * self.width_K
        return np.clip(x_MK, self.low_K, self.low_K + self.width_K)

    def cost(self, t_K: np.ndarray) -> float:
        """Minus twice its log density, up to a constant."""
        return float(self.precision_K @ (t_K - self.centre_K) ** 2)


def prior_of(hidden: Mapping[str, Hidden]) -> Prior:
    """What a twin's file says: normal around the default where there is a deviation, else uniform.

    The file tells how the parameter varies from run to run; it is taken to be as unsure of its
    mean.
    """
    low_K = np.array([one.low for one in hidden.values()])
    width_K = np.array([one.high for one in hidden.values()]) - low_K
    default_K = np.array([one.usual for one in hidden.values()])
    own_K = np.array([np.inf if h.deviation is None else h.deviation for h in hidden.values()])
    precision_K = np.maximum((width_K / own_K) ** 2, LEAST_PRECISION)
    centre_K = (default_K - low_K) / width_K
    return Prior(tuple(hidden), low_K, width_K, centre_K, precision_K)
