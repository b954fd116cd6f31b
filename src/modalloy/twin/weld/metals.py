"""What the metals of the weld are like: constants that stand for a whole range of temperatures."""

from typing import NamedTuple


class Metal(NamedTuple):
    """One grade. Its constants do not change with temperature, as the heat equation that is solved
    demands: they are rounded means between room temperature and melting (orders as in Mills 2002,
    *Recommended Values of Thermophysical Properties for Selected Commercial Alloys*).
    """

    conductivity_w_m_k: float
    diffusivity_m2_s: float
    melts_c: float
    boils_c: float


METALS = {
    "mild": Metal(30.0, 5.6e-6, 1500.0, 2860.0),
    "stainless": Metal(25.0, 5.1e-6, 1440.0, 2820.0),
    "nickel": Metal(25.0, 5.0e-6, 1330.0, 2800.0),
}
