"""Frames against beams, bars, trusses and portals whose answers are in closed form."""

import numpy as np
import pytest
from scipy.optimize import brentq

from modalloy.twin.bracket import frame
from modalloy.twin.bracket.frame import Ends, Frame
from modalloy.twin.bracket.tubes import Tubes, tubes

E_PA, RHO = 210e9, 7850.0
WIDE_M, WALL_M = 0.02, 0.0015
ONE = tubes(np.array([WIDE_M]), np.array([WALL_M]))
AREA, INERTIA = float(ONE.area_m2_M[0]), float(ONE.second_moment_m4_M[0])
LONG_M = 1.2


def alike(count: int) -> Tubes:
    return tubes(np.full(count, WIDE_M), np.full(count, WALL_M))


def made(
    joints_m: list[tuple[float, float]], ends: Ends, fixed: tuple[int, ...], each: int = 4
) -> Frame:
    found = alike(len(ends))
    return frame.frame(
        np.array(joints_m), ends, found, youngs_pa=E_PA, density_kg_m3=RHO, fixed=fixed, each=each
    )


def cantilever(turned: float = 0.0, each: int = 4) -> Frame:
    tip = (LONG_M * np.cos(turned), LONG_M * np.sin(turned))
    return made([(0.0, 0.0), tip], ((0, 1),), (0,), each)


def pushed(of: Frame, joint: int, force_n: tuple[float, float]) -> np.ndarray:
    force_F = np.zeros(len(of.stiffness_FF))
    force_F[3 * joint : 3 * joint + 2] = force_n
    return frame.displacements(of, force_F)


@pytest.mark.parametrize("turned", [0.0, 0.5, np.pi / 2, 4.0])
def test_a_cantilever_bends_as_in_the_book(turned: float) -> None:
    across = np.array([-np.sin(turned), np.cos(turned)])
    u_F = pushed(cantilever(turned), 1, tuple(100.0 * across))
    assert u_F[3:5] @ across == pytest.approx(100.0 * LONG_M**3 / (3 * E_PA * INERTIA), rel=1e-9)
    assert u_F[5] == pytest.approx(100.0 * LONG_M**2 / (2 * E_PA * INERTIA), rel=1e-9)


def test_inside_a_cantilever_the_elastic_line_is_exact() -> None:
    of = cantilever()
    u_F = pushed(of, 1, (0.0, 100.0))
    for step in (1, 2, 3):
        x = LONG_M * step / 4
        line = 100.0 * x**2 * (3 * LONG_M - x) / (6 * E_PA * INERTIA)
        assert u_F[3 * of.mesh.inside(0, step) + 1] == pytest.approx(line, rel=1e-9)


def test_a_bar_is_pulled_long() -> None:
    u_F = pushed(cantilever(), 1, (1000.0, 0.0))
    assert u_F[3:6] == pytest.approx([1000.0 * LONG_M / (E_PA * AREA), 0.0, 0.0], rel=1e-9)


def test_two_bars_carry_a_load_between_them() -> None:
    """By symmetry the apex only sinks: each bar is pulled along itself and bent as if its end were
    clamped, k = 2 (E A / L sin^2 + 12 E I / L^3 cos^2)."""
    of = made([(-0.4, 0.0), (0.4, 0.0), (0.0, -0.3)], ((0, 2), (1, 2)), (0, 1))
    u_F = pushed(of, 2, (0.0, -5000.0))
    stiff = 2 * (E_PA * AREA / 0.5 * 0.6**2 + 12 * E_PA * INERTIA / 0.5**3 * 0.8**2)
    assert u_F[6:9] == pytest.approx([0.0, -5000.0 / stiff, 0.0], rel=1e-9, abs=1e-15)


def test_a_portal_sways_as_by_slope_deflection() -> None:
    """Feet clamped, P at the top: P h^3 / (12 E I) (2 + 3 k) / (1 + 6 k), k = h / span for equal
    sections, axial strain left out; it is small as legs are slender."""
    high, span = 2.0, 3.0
    joints = [(0.0, 0.0), (0.0, high), (span, high), (span, 0.0)]
    u_F = pushed(made(joints, ((0, 1), (1, 2), (2, 3)), (0, 3)), 1, (50.0, 0.0))
    k = high / span
    sway = 50.0 * high**3 / (12 * E_PA * INERTIA) * (2 + 3 * k) / (1 + 6 * k)
    assert u_F[3] == pytest.approx(sway, rel=1e-3)


def test_stress_is_pull_over_area_and_bending_at_the_wall() -> None:
    of = cantilever()
    pulled_pa_E = frame.stress_pa(of, pushed(of, 1, (1000.0, 0.0)))
    assert pulled_pa_E == pytest.approx(np.full(4, 1000.0 / AREA), rel=1e-6)
    bent_pa_E = frame.stress_pa(of, pushed(of, 1, (0.0, 100.0)))
    lever_m_E = LONG_M * np.array([1.0, 0.75, 0.5, 0.25])  # of each element's end near the wall
    assert bent_pa_E == pytest.approx(100.0 * lever_m_E * WIDE_M / 2 / INERTIA, rel=1e-6)
    both_pa = frame.stress_pa(of, pushed(of, 1, (1000.0, 100.0))).max()
    assert both_pa == pytest.approx(pulled_pa_E.max() + bent_pa_E.max(), rel=1e-6)


def test_a_cantilever_swings_as_in_the_book() -> None:
    beta_K = np.array([1.87510407, 4.69409113, 7.85475744])  # cos b cosh b = -1
    bending = np.sqrt(E_PA * INERTIA / (RHO * AREA)) / (2 * np.pi * LONG_M**2)
    found = frame.modes(cantilever(), 3).frequency_hz_K
    assert found[0] == pytest.approx(beta_K[0] ** 2 * bending, rel=1e-4)
    assert found == pytest.approx(beta_K**2 * bending, rel=0.01)
    finer = frame.modes(cantilever(each=16), 3).frequency_hz_K
    assert finer == pytest.approx(beta_K**2 * bending, rel=1e-4)
    assert (found >= finer).all()  # consistent mass: from above


def test_a_bar_rings_along_itself() -> None:
    """(c / 4 L) for a bar clamped at one end, too high by (pi / 8)^2 / 24 with four elements."""
    of = cantilever()
    exact_hz = np.sqrt(E_PA / RHO) / (4 * LONG_M)
    found = frame.modes(of, 12)
    along_K = np.abs(found.shape_FK[3]) > np.abs(found.shape_FK[4])
    first_hz = found.frequency_hz_K[along_K][0]
    assert first_hz / exact_hz - 1 == pytest.approx((np.pi / 8) ** 2 / 24, rel=0.02)


@pytest.mark.parametrize("ratio", [0.1, 1.0, 10.0])
def test_a_payload_lowers_a_cantilever_as_in_the_book(ratio: float) -> None:
    """1 + 1 / (cos b cosh b) = r b (tan b - tanh b), r: payload over the beam's mass."""

    def balance(b: float) -> float:
        swing = np.cos(b) * np.sinh(b) - np.sin(b) * np.cosh(b)
        return float(1 + np.cos(b) * np.cosh(b) + ratio * b * swing)

    b = brentq(balance, 0.1, 1.8752)
    exact_hz = b**2 * np.sqrt(E_PA * INERTIA / (RHO * AREA)) / (2 * np.pi * LONG_M**2)
    of = frame.with_payload(cantilever(), 1, ratio * RHO * AREA * LONG_M)
    assert frame.modes(of, 1).frequency_hz_K[0] == pytest.approx(exact_hz, rel=1e-4)


def test_what_is_fixed_nowhere_moves_freely_and_weighs_what_it_weighs() -> None:
    of = made([(0.0, 0.0), (0.5, 0.1), (0.2, 0.6)], ((0, 1), (1, 2), (2, 0)), ())
    found = frame.modes(of, 4).frequency_hz_K
    assert (found[:3] < 1e-2 * found[3]).all()
    for axis in (0, 1):
        moved_F = np.zeros(len(of.mass_FF))
        moved_F[axis::3] = 1.0
        round_m = np.hypot(0.5, 0.1) + np.hypot(0.3, 0.5) + np.hypot(0.2, 0.6)
        assert moved_F @ of.mass_FF @ moved_F == pytest.approx(RHO * AREA * round_m, rel=1e-9)
        assert of.stiffness_FF @ moved_F == pytest.approx(np.zeros(len(moved_F)), abs=1e-3)


def test_shapes_have_unit_modal_mass_and_keep_to_themselves() -> None:
    of = made([(0.0, 0.0), (0.5, 0.1), (0.2, 0.6)], ((0, 1), (1, 2), (2, 0)), (0,))
    found = frame.modes(of, 6)
    assert found.shape_FK.T @ of.mass_FF @ found.shape_FK == pytest.approx(np.eye(6), abs=1e-9)
    stiff_KK = found.shape_FK.T @ of.stiffness_FF @ found.shape_FK
    square_K = (2 * np.pi * found.frequency_hz_K) ** 2
    assert stiff_KK == pytest.approx(np.diag(square_K), rel=1e-6, abs=1e-6 * square_K[-1])
    assert (found.shape_FK[:3] == 0).all()  # the joint that is fixed
