"""Depth and width of the weld against closed forms, a brute search, and how they must change."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from modalloy.errors import TwinError
from modalloy.twin.weld.heat import Heat
from modalloy.twin.weld.keyhole import Beam, heat_of, keyhole_of
from modalloy.twin.weld.metals import METALS
from modalloy.twin.weld.plant import stream
from modalloy.twin.weld.pool_shape import cross_section
from modalloy.twin.weld.simulator import beam_of

BEAM = Beam(1000.0, 0.02, 20.0, 0.7e-3, "stainless", 0.6, 1.0)
MELTS_C = METALS["stainless"].melts_c


def point(speed_m_s: float, power_w: float = 600.0) -> Heat:
    return Heat(np.zeros(1), np.array([power_w]), speed_m_s, 25.0, 5.1e-6, 20.0)


def depth_mm(beam: Beam) -> float:
    section = cross_section(heat_of(beam, keyhole_of(beam)), METALS[beam.grade].melts_c)
    return 1e3 * section.depth_m


def test_at_rest_the_pool_is_half_a_ball() -> None:
    section = cross_section(point(1e-7), MELTS_C)
    radius_m = 600.0 / (2.0 * math.pi * 25.0 * (MELTS_C - 20.0))
    assert section.depth_m == pytest.approx(radius_m, rel=1e-4)
    assert section.width_m == pytest.approx(2.0 * radius_m, rel=1e-4)


def test_at_high_speed_the_pool_is_as_the_line_of_heat_in_its_wake() -> None:
    """Half the width becomes sqrt(2 q / (pi e rho c dT v)): Rosenthal's limit of fast welds."""
    speed_m_s, capacity = 30.0, 25.0 / 5.1e-6
    section = cross_section(point(speed_m_s), MELTS_C)
    half2 = 2.0 * 600.0 / (math.pi * math.e * capacity * (MELTS_C - 20.0) * speed_m_s)
    assert section.depth_m == pytest.approx(math.sqrt(half2), rel=0.01)
    assert section.width_m == pytest.approx(2.0 * section.depth_m, rel=1e-9)


def brute(heat: Heat, melts_c: float) -> tuple[float, float]:
    """The same by bracketing, with the warmest of many places along the weld at each step."""
    melting_k = melts_c - heat.plate_c
    reach_m = heat.power_w / (2.0 * math.pi * heat.conductivity_w_m_k * melting_k)
    along = -reach_m * np.linspace(0.0, 0.7, 1500) ** 2

    def below(out_m: float) -> float:
        return float(heat.rise(along, np.zeros_like(along), out_m).max()) - melting_k

    def across(out_m: float) -> float:
        return float(heat.surface_rise(along, np.full_like(along, out_m)).max()) - melting_k

    last_m = float(heat.depth_S[-1])
    depth_m = brentq(below, last_m + 1e-8, last_m + 1.1 * reach_m, xtol=1e-10)
    return depth_m, 2.0 * brentq(across, 1e-8, 1.1 * reach_m, xtol=1e-10)


def test_a_brute_search_finds_the_same() -> None:
    for part in stream(40, seed=5, onset=0, first=0.8, last=0.3):
        beam = beam_of(part.values)
        heat, melts_c = heat_of(beam, keyhole_of(beam)), METALS[beam.grade].melts_c
        section, searched = cross_section(heat, melts_c), brute(heat, melts_c)
        assert (section.depth_m, section.width_m) == pytest.approx(searched, rel=2e-4)


def test_far_outside_the_twins_ranges_the_isotherm_is_still_found(
    draw: np.random.Generator,
) -> None:
    for _ in range(300):
        beam = BEAM._replace(
            power_w=draw.uniform(200.0, 4000.0),
            speed_m_s=float(10.0 ** draw.uniform(-4.0, -0.5)),
            spot_m=draw.uniform(0.1e-3, 2e-3),
        )
        heat = heat_of(beam, keyhole_of(beam))
        section = cross_section(heat, MELTS_C)
        assert section.depth_m > float(heat.depth_S[-1])
        along = -heat.power_w / (2 * math.pi * 25.0 * 1420.0) * np.linspace(0, 1, 3000) ** 2
        warmest = heat.rise(along, np.zeros_like(along), section.depth_m).max()
        assert warmest == pytest.approx(MELTS_C - 20.0, rel=1e-3)


@pytest.mark.parametrize("spot_m", [0.5e-3, 0.7e-3, 1.0e-3])
def test_depth_grows_with_power_and_absorptivity_and_falls_with_speed(spot_m: float) -> None:
    beam = BEAM._replace(spot_m=spot_m)
    by_power = [depth_mm(beam._replace(power_w=w)) for w in np.linspace(600, 1400, 17)]
    by_share = [depth_mm(beam._replace(absorptivity=a)) for a in np.linspace(0.3, 0.8, 17)]
    by_speed = [depth_mm(beam._replace(speed_m_s=v)) for v in np.linspace(0.013, 0.042, 17)]
    assert (np.diff(by_power) > 0).all()
    assert (np.diff(by_share) > 0).all()
    assert (np.diff(by_speed) < 0).all()


def test_only_power_that_is_absorbed_counts() -> None:
    half = BEAM._replace(power_w=2000.0, absorptivity=0.3)
    assert depth_mm(half) == pytest.approx(depth_mm(BEAM), rel=1e-12)


def test_a_warm_plate_and_a_small_spot_weld_deeper() -> None:
    assert depth_mm(BEAM._replace(plate_c=200.0)) > depth_mm(BEAM)
    assert depth_mm(BEAM._replace(spot_m=0.5e-3)) > depth_mm(BEAM)


def test_each_grade_melts_to_its_own_depth() -> None:
    depths = [depth_mm(BEAM._replace(grade=grade)) for grade in ("mild", "stainless", "nickel")]
    assert depths[0] < depths[1] < depths[2]


def test_a_keyhole_is_deeper_than_half_its_width_and_heat_at_the_surface_is_not() -> None:
    drilled = cross_section(heat_of(BEAM, keyhole_of(BEAM)), MELTS_C)
    wide = BEAM._replace(spot_m=3e-3)
    conducted = cross_section(heat_of(wide, keyhole_of(wide)), MELTS_C)
    assert drilled.depth_m > 0.55 * drilled.width_m
    assert conducted.depth_m == pytest.approx(0.5 * conducted.width_m, rel=1e-9)


def test_numbers_of_no_weld_are_refused() -> None:
    with pytest.raises(TwinError, match="melting isotherm was not found"):
        cross_section(point(math.nan), MELTS_C)
