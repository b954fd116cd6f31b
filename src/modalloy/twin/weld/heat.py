"""The temperature around heat sources that move through a thick plate (Rosenthal 1946)."""

import math
from typing import NamedTuple

import numpy as np

LEAST_M = 1e-9  # no point is nearer to a source, where the temperature has no bound


class Heat(NamedTuple):
    """Point sources on one line down into a plate, which they cross together at a constant speed.

    Places are seen from the sources, in metres: `along` the weld, positive ahead; `across` it;
    `below` the surface. The plate has no other face, and none of its heat leaves by the surface.
    depth_S: of each source, and power_S what it gives, in W. plate_c: far away, in Celsius.
    """

    depth_S: np.ndarray
    power_S: np.ndarray
    speed_m_s: float
    conductivity_w_m_k: float
    diffusivity_m2_s: float
    plate_c: float

    @property
    def power_w(self) -> float:
        """What all sources give."""
        return float(self.power_S.sum())

    @property
    def decay_per_m(self) -> float:
        """v / 2a, of which the temperature falls ahead of a source."""
        return self.speed_m_s / (2.0 * self.diffusivity_m2_s)

    def rise(self, along: np.ndarray, across: np.ndarray, below: np.ndarray | float) -> np.ndarray:
        """How much warmer it is than far away, in K, anywhere in the plate.

        Of each source q (4 pi k r)^-1 exp(-v (xi + r) / 2a) (Rosenthal 1946, *Trans. ASME* 68), and
        the same of its mirror image above the surface, which lets no heat through the surface.
        """
        flat2 = along**2 + across**2
        total = np.zeros(np.broadcast_shapes(np.shape(flat2), np.shape(below)))
        for depth_m, power_w in zip(self.depth_S, self.power_S, strict=True):
            near, far = flat2 + (below - depth_m) ** 2, flat2 + (below + depth_m) ** 2
            total += power_w / 2.0 * (self._point(along, near) + self._point(along, far))
        return total

    def surface_rise(self, along: np.ndarray, across: np.ndarray) -> np.ndarray:
        """The same at the surface, where a source and its image give equally: in half the time."""
        flat2 = along**2 + across**2
        total = np.zeros(np.shape(flat2))
        for depth_m, power_w in zip(self.depth_S, self.power_S, strict=True):
            total += power_w * self._point(along, flat2 + depth_m**2)
        return total

    def _point(self, along: np.ndarray, far2: np.ndarray) -> np.ndarray:
        """What one watt at the surface gives at a distance whose square is `far2`, in K."""
        far = np.maximum(np.sqrt(far2), LEAST_M)
        fall = far + along
        fall *= -self.decay_per_m
        np.exp(fall, out=fall)
        far *= 2.0 * math.pi * self.conductivity_w_m_k
        fall /= far
        return fall


def cooling_rate(heat: Heat, at_c: float) -> float:
    """How fast the weld line cools where it passes a temperature, in K/s.

    2 pi k v (T - T0)^2 / q: the slope of q (2 pi k r)^-1 straight behind one source at the surface
    (Adams 1958, *Welding Journal* 37). Sources below count as if they lay at the surface; so far
    behind that changes little.
    """
    warmer_k = at_c - heat.plate_c
    slope = 2.0 * math.pi * heat.conductivity_w_m_k * warmer_k**2 / heat.power_w  # K/m
    return slope * heat.speed_m_s
