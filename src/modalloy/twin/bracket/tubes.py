"""Area, second moment of area and mass of round tubes."""

from typing import NamedTuple

import numpy as np


class Tubes(NamedTuple):
    """Round tubes, one a member. diameter_m_M: outer diameter. wall_m_M: thickness of the wall."""

    diameter_m_M: np.ndarray
    wall_m_M: np.ndarray

    @property
    def area_m2_M(self) -> np.ndarray:
        """Area of the ring of metal."""
        return np.pi * (self.diameter_m_M - self.wall_m_M) * self.wall_m_M

    @property
    def second_moment_m4_M(self) -> np.ndarray:
        """Second moment of that area about a diameter."""
        inside_m_M = self.diameter_m_M - 2.0 * self.wall_m_M
        return np.pi / 64.0 * (self.diameter_m_M**4 - inside_m_M**4)

    def mass_kg(self, length_m_M: np.ndarray, density_kg_m3: float) -> float:
        """Mass of the tubes, each as long as the line between its ends."""
        return float(density_kg_m3 * (self.area_m2_M * length_m_M).sum())


def tubes(diameter_m_M: np.ndarray, wall_m_M: np.ndarray) -> Tubes:
    """Tubes that can be made; ValueError names the first one that cannot."""
    thick_M = (wall_m_M <= 0.0) | (2.0 * wall_m_M >= diameter_m_M)
    if thick_M.any():
        m = int(np.argmax(thick_M))
        raise ValueError(
            f"tube {m + 1} has a wall of {1e3 * wall_m_M[m]:.2f} mm, which is no wall of a tube "
            f"of {1e3 * diameter_m_M[m]:.1f} mm; it must be above 0 and below half the diameter."
        )
    return Tubes(np.asarray(diameter_m_M, float), np.asarray(wall_m_M, float))
