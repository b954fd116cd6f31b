"""Whether the beam drills a keyhole, how deep, and which share of the heat goes down there."""

import math
from typing import NamedTuple

import numpy as np

from modalloy.twin.weld.heat import Heat
from modalloy.twin.weld.metals import METALS

# Where a keyhole's heat comes from, in parts of its depth, and how much of it: the upper half of
# the eight points of Gauss and Legendre.
NODES = (0.1834346424956498, 0.5255324099163290, 0.7966664774136267, 0.9602898564975363)
WEIGHTS = (0.3626837833783620, 0.3137066458778873, 0.2223810344533745, 0.1012285362903763)


class Beam(NamedTuple):
    """What is set, and what acts unseen, in SI units; temperatures in Celsius.

    absorptivity: the share of the power that stays in the metal. conductivity_factor: of the batch,
    on its grade's conductivity and diffusivity.
    """

    power_w: float
    speed_m_s: float
    plate_c: float
    spot_m: float
    grade: str
    absorptivity: float
    conductivity_factor: float

    @property
    def absorbed_w(self) -> float:
        """The power that heats the metal."""
        return self.absorptivity * self.power_w

    @property
    def conductivity_w_m_k(self) -> float:
        """Of this batch."""
        return METALS[self.grade].conductivity_w_m_k * self.conductivity_factor

    @property
    def diffusivity_m2_s(self) -> float:
        """Of this batch: as its conductivity, since its heat capacity is its grade's."""
        return METALS[self.grade].diffusivity_m2_s * self.conductivity_factor


class Keyhole(NamedTuple):
    """excess: of the power density over that which makes the surface boil, relative to it; below 0
    there is no keyhole. share: of the heat that is given along its depth.
    """

    excess: float
    depth_m: float
    share: float


def keyhole_of(beam: Beam) -> Keyhole:
    """The keyhole that a beam drills.

    Power density, over what conducts away while the beam passes, is the normalised enthalpy
    q / (pi rho c (Tm - T0) sqrt(a v w^3)), w half the spot (Hann et al. 2011, *J. Phys. D* 44). The
    surface boils where it exceeds pi (Tb - T0) / (Tm - T0) (King et al. 2014, *J. Mater. Process.
    Technol.* 214). What exceeds it is given down the keyhole, whose wall boils: k (Tb - T0) f(Pe)
    leaves each metre of it (Lankalapalli et al. 1996, *J. Phys. D* 29), which tells its depth.
    """
    boils_k = METALS[beam.grade].boils_c - beam.plate_c
    radius_m = beam.spot_m / 2.0
    heat_j_m3 = beam.conductivity_w_m_k / beam.diffusivity_m2_s * boils_k
    spread_m3_s = math.sqrt(beam.diffusivity_m2_s * beam.speed_m_s * radius_m**3)
    boiling_w = math.pi**2 * heat_j_m3 * spread_m3_s
    excess = beam.absorbed_w / boiling_w - 1.0
    if excess <= 0.0:
        return Keyhole(excess, 0.0, 0.0)
    peclet = beam.speed_m_s * radius_m / (2.0 * beam.diffusivity_m2_s)
    leaves_w_m = beam.conductivity_w_m_k * boils_k * wall_flow(peclet)
    down_w = beam.absorbed_w - boiling_w
    return Keyhole(excess, down_w / leaves_w_m, down_w / beam.absorbed_w)


def wall_flow(peclet: float) -> float:
    """The heat that leaves each metre of a cylinder of one temperature on its way through a plate,
    over the plate's conductivity and the difference of temperature.

    The polynomial of Lankalapalli et al. 1996 for Peclet numbers v w / 2a of .2 to 10, w being the
    cylinder's radius: within 3 % of the exact series.
    """
    return 2.1995 + 6.2962 * peclet - 0.4994 * peclet**2 + 0.0461 * peclet**3


def heat_of(beam: Beam, keyhole: Keyhole) -> Heat:
    """The beam's heat: a point at the surface and, for the keyhole's share, points down its depth.

    A point and a line, as in Steen et al. 1988 (*J. Phys. D* 21); the line is laid in four points,
    which solve the heat equation as exactly as a line does.
    """
    share_S = np.array([1.0 - keyhole.share, *(keyhole.share * weight for weight in WEIGHTS)])
    return Heat(
        np.array([0.0, *(keyhole.depth_m * node for node in NODES)]),
        beam.absorbed_w * share_S,
        beam.speed_m_s,
        beam.conductivity_w_m_k,
        beam.diffusivity_m2_s,
        beam.plate_c,
    )
