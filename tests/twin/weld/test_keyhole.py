"""The keyhole's threshold and depth against the exact series and the limits that physics sets."""

import math

import numpy as np
import pytest
from scipy.special import iv, kv, kvp

from modalloy.twin.weld.keyhole import NODES, WEIGHTS, Beam, heat_of, keyhole_of, wall_flow
from modalloy.twin.weld.metals import METALS

BEAM = Beam(1000.0, 0.02, 20.0, 0.7e-3, "stainless", 0.6, 1.0)


def exact_flow(peclet: float) -> float:
    """Heat from a cylinder of one temperature across a stream: the series in Bessel functions.

    T = exp(-P x) sum c_n K_n(P r) cos n phi with c_n = (2 -) I_n(P) / K_n(P) is 1 at the radius 1;
    its slope there, summed around.
    """
    turn = np.linspace(0.0, 2.0 * math.pi, 2000, endpoint=False)
    slope = np.zeros_like(turn)
    for n in range(40):
        outer = kv(n, peclet)
        if not np.isfinite(outer):
            break
        weight = (1.0 if n == 0 else 2.0) * iv(n, peclet) / outer
        by_r = peclet * kvp(n, peclet) - peclet * np.cos(turn) * outer
        slope += weight * np.cos(n * turn) * by_r
    return float(-(np.exp(-peclet * np.cos(turn)) * slope).mean() * 2.0 * math.pi)


@pytest.mark.parametrize("peclet", [0.2, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0])
def test_the_polynomial_of_the_wall_is_near_the_exact_series(peclet: float) -> None:
    assert wall_flow(peclet) == pytest.approx(exact_flow(peclet), rel=0.03)


def test_the_points_of_a_keyhole_are_those_of_gauss_and_legendre() -> None:
    node, weight = np.polynomial.legendre.leggauss(8)
    np.testing.assert_allclose(NODES, node[4:], rtol=1e-14)
    np.testing.assert_allclose(WEIGHTS, weight[4:], rtol=1e-13)


def test_a_keyhole_opens_where_the_surface_boils() -> None:
    """The peak of a moving Gaussian beam is near q / (pi^2 rho c sqrt(a v w^3)) above the plate."""
    metal = METALS[BEAM.grade]
    radius_m, capacity = BEAM.spot_m / 2, metal.conductivity_w_m_k / metal.diffusivity_m2_s
    reach = math.sqrt(metal.diffusivity_m2_s * BEAM.speed_m_s * radius_m**3)
    opens_w = math.pi**2 * capacity * (metal.boils_c - BEAM.plate_c) * reach / BEAM.absorptivity
    under = keyhole_of(BEAM._replace(power_w=0.999 * opens_w))
    over = keyhole_of(BEAM._replace(power_w=1.001 * opens_w))
    assert under.excess == pytest.approx(-0.001)
    assert (under.depth_m, under.share) == (0.0, 0.0)
    assert over.excess == pytest.approx(0.001)
    assert over.share == pytest.approx(0.001 / 1.001)


def test_what_goes_down_the_keyhole_is_what_its_wall_conducts() -> None:
    keyhole, metal = keyhole_of(BEAM), METALS[BEAM.grade]
    peclet = BEAM.speed_m_s * BEAM.spot_m / 2 / (2 * metal.diffusivity_m2_s)
    leaves_w = (
        metal.conductivity_w_m_k
        * (metal.boils_c - BEAM.plate_c)
        * wall_flow(peclet)
        * keyhole.depth_m
    )
    assert leaves_w == pytest.approx(keyhole.share * BEAM.absorbed_w)


def test_all_heat_that_is_absorbed_is_given() -> None:
    for power_w in (400.0, 1000.0, 2000.0):
        beam = BEAM._replace(power_w=power_w)
        assert heat_of(beam, keyhole_of(beam)).power_w == pytest.approx(0.6 * power_w, rel=1e-9)


def test_above_the_threshold_what_stays_at_the_surface_does_not_grow() -> None:
    surface = [
        float(heat_of(beam, keyhole_of(beam)).power_S[0])
        for beam in (BEAM, BEAM._replace(power_w=1400.0), BEAM._replace(absorptivity=0.8))
    ]
    assert surface[1:] == pytest.approx(surface[:1] * 2)


def test_a_batch_that_conducts_better_is_harder_to_boil() -> None:
    assert keyhole_of(BEAM._replace(conductivity_factor=1.1)).excess < keyhole_of(BEAM).excess
    heat = heat_of(BEAM._replace(conductivity_factor=1.1), keyhole_of(BEAM))
    assert heat.conductivity_w_m_k == pytest.approx(1.1 * 25.0)
    assert heat.diffusivity_m2_s == pytest.approx(1.1 * 5.1e-6)
