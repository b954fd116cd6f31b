"""The temperature field against closed forms, finite differences and the heat equation itself."""

import math

import numpy as np
import pytest

from modalloy.twin.weld.heat import Heat, cooling_rate
from modalloy.twin.weld.keyhole import Beam, heat_of, keyhole_of

ABSORBED_W, CONDUCTIVITY, DIFFUSIVITY, PLATE_C = 600.0, 25.0, 5e-6, 100.0
STEP_M = 2e-6


def point(speed_m_s: float) -> Heat:
    return Heat(np.zeros(1), np.array([ABSORBED_W]), speed_m_s, CONDUCTIVITY, DIFFUSIVITY, PLATE_C)


def keyhole_heat() -> Heat:
    beam = Beam(1200.0, 0.02, PLATE_C, 0.6e-3, "stainless", 0.6, 1.0)
    keyhole = keyhole_of(beam)
    assert keyhole.share > 0.3
    return heat_of(beam, keyhole)


def places(draw: np.random.Generator, count: int = 200) -> tuple[np.ndarray, ...]:
    return (
        draw.uniform(-3e-3, 1e-3, count),
        draw.uniform(0.4e-3, 2e-3, count),
        draw.uniform(0.0, 2e-3, count),
    )


def test_a_source_at_rest_has_round_isotherms_of_the_closed_form(
    draw: np.random.Generator,
) -> None:
    rise_k = 1400.0
    radius_m = ABSORBED_W / (2.0 * math.pi * CONDUCTIVITY * rise_k)
    way = draw.standard_normal((50, 3))
    along, across, below = radius_m * (way / np.linalg.norm(way, axis=1, keepdims=True)).T
    found = point(1e-9).rise(along, across, np.abs(below))
    np.testing.assert_allclose(found, rise_k, rtol=1e-6)


def test_behind_a_moving_source_it_is_as_warm_as_behind_one_at_rest() -> None:
    along = -np.linspace(1e-3, 8e-3, 20)
    found = point(0.03).rise(along, np.zeros(20), 0.0)
    np.testing.assert_allclose(
        found, ABSORBED_W / (2.0 * math.pi * CONDUCTIVITY * -along), rtol=1e-12
    )


@pytest.mark.parametrize("heat", [point(0.02), keyhole_heat()], ids=["point", "keyhole"])
def test_the_quasi_steady_heat_equation_holds(heat: Heat, draw: np.random.Generator) -> None:
    """a (Txx + Tyy + Tzz) + v Tx = 0, each derivative by central differences."""
    x, y, z = places(draw)
    z = z + 10 * STEP_M

    def at(dx: float = 0.0, dy: float = 0.0, dz: float = 0.0) -> np.ndarray:
        return heat.rise(x + dx, y + dy, z + dz)

    h = STEP_M
    twice = (at(h) + at(-h) + at(0, h) + at(0, -h) + at(0, 0, h) + at(0, 0, -h) - 6 * at()) / h**2
    moved = heat.speed_m_s * (at(h) - at(-h)) / (2 * h)
    size = np.abs(moved) + heat.diffusivity_m2_s * np.abs(at(h) - 2 * at() + at(-h)) / h**2
    residual = np.abs(heat.diffusivity_m2_s * twice + moved)
    assert float((residual / size).max()) < 1e-3


@pytest.mark.parametrize("heat", [point(0.02), keyhole_heat()], ids=["point", "keyhole"])
def test_no_heat_leaves_by_the_surface(heat: Heat, draw: np.random.Generator) -> None:
    x, y, _ = places(draw)
    flow = heat.rise(x, y, STEP_M) - heat.rise(x, y, 0.0)
    sideways = heat.rise(x, y + STEP_M, 0.0) - heat.rise(x, y, 0.0)
    assert float(np.abs(flow).max()) < 0.02 * float(np.abs(sideways).max())


def test_all_that_is_given_flows_through_a_box_around_the_sources() -> None:
    """Conduction and what the moving plate carries, out of a half box: the power of the sources."""
    heat, half_m, grid = keyhole_heat(), 4e-3, 160
    edge = (np.arange(grid) + 0.5) / grid
    wide, deep = (2.0 * edge - 1.0) * half_m, edge * half_m
    carries = heat.speed_m_s * heat.conductivity_w_m_k / heat.diffusivity_m2_s

    def out(axis: int, side: float, first: np.ndarray, second: np.ndarray) -> float:
        grids = np.meshgrid(first, second, indexing="ij")
        place = [*grids[:axis], np.full(grids[0].shape, side * half_m), *grids[axis:]]
        ahead, back = list(place), list(place)
        ahead[axis], back[axis] = place[axis] + STEP_M, place[axis] - STEP_M
        slope = side * (heat.rise(*ahead) - heat.rise(*back)) / (2 * STEP_M)
        flow = -heat.conductivity_w_m_k * slope
        if axis == 0:  # the plate moves towards the back, and takes its warmth along
            flow = flow - side * carries * heat.rise(*place)
        cell = (first[1] - first[0]) * (second[1] - second[0])
        return float(flow.sum() * cell)

    total = sum(out(0, side, wide, deep) + out(1, side, wide, deep) for side in (-1.0, 1.0))
    total += out(2, 1.0, wide, wide)
    assert total == pytest.approx(heat.power_w, rel=5e-3)


def test_the_surface_alone_is_the_whole_field_at_no_depth(draw: np.random.Generator) -> None:
    heat = keyhole_heat()
    x, y, _ = places(draw)
    np.testing.assert_allclose(heat.surface_rise(x, y), heat.rise(x, y, 0.0), rtol=1e-12)


@pytest.mark.parametrize(
    ("heat", "within"), [(point(0.02), 1e-6), (keyhole_heat(), 0.02)], ids=["point", "keyhole"]
)
def test_the_cooling_rate_is_the_slope_behind_the_weld(heat: Heat, within: float) -> None:
    """Against central differences where the weld line passes 800 C."""
    along = -np.linspace(0.1e-3, 30e-3, 300_000)
    line_c = heat.plate_c + heat.surface_rise(along, np.zeros_like(along))
    last = int(np.flatnonzero(line_c > 800.0)[-1])
    span = along[last + 1] - along[last - 1]
    slope = (line_c[last + 1] - line_c[last - 1]) / span
    assert cooling_rate(heat, float(line_c[last])) == pytest.approx(
        slope * heat.speed_m_s, rel=within
    )
    assert line_c[last] == pytest.approx(800.0, abs=0.5)


def test_a_warmer_plate_cools_more_slowly() -> None:
    cold, warm = point(0.02), point(0.02)._replace(plate_c=200.0)
    assert cooling_rate(warm, 800.0) / cooling_rate(cold, 800.0) == pytest.approx((600 / 700) ** 2)
