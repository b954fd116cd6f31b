"""The bracket: what makes it stiffer, heavier or impossible."""

from typing import Any

import numpy as np
import pytest

from brackets import MIDDLE
from modalloy.twin.bracket import bracket, frame
from modalloy.twin.bracket.bracket import Behaviour


def of(**changed: Any) -> Behaviour:
    return bracket.behaviour(bracket.design(MIDDLE | changed))


@pytest.mark.parametrize("member", range(1, 7))
def test_a_thicker_wall_makes_it_stiffer_and_heavier(member: int) -> None:
    before, after = of(), of(**{f"wall_{member}": 2.2})
    assert after.deflection_mm < before.deflection_mm
    assert after.mass_kg > before.mass_kg


@pytest.mark.parametrize("member", range(1, 7))
def test_scatter_is_a_wall_that_was_not_ordered(member: int) -> None:
    hidden, told = of(**{f"wall_scatter_{member}": 0.1}), of(**{f"wall_{member}": 1.65})
    assert hidden.mass_kg == pytest.approx(told.mass_kg)
    assert hidden.deflection_mm == pytest.approx(told.deflection_mm)
    assert hidden.modes.frequency_hz_K == pytest.approx(told.modes.frequency_hz_K)


def test_a_metal_counts_by_its_stiffness_and_density() -> None:
    steel, light = of(), of(material="aluminium")
    assert light.deflection_mm / steel.deflection_mm == pytest.approx(210 / 70)
    assert light.mass_kg / steel.mass_kg == pytest.approx(2700 / 7850)
    assert light.stress_mpa == pytest.approx(steel.stress_mpa)


def test_mass_is_by_hand() -> None:
    along_m = [
        np.hypot(0.23, 0.04),
        np.hypot(0.23, 0.04),
        np.hypot(0.23, 0.16),
        0.12,
        np.hypot(0.22, 0.06),
        np.hypot(0.22, 0.06),
    ]
    area_m2 = np.pi * (0.02 - 0.0015) * 0.0015
    assert of().mass_kg == pytest.approx(7850 * area_m2 * sum(along_m))


def test_the_load_is_carried_to_the_wall() -> None:
    """Forces at the anchors balance the load and its lever."""
    made = bracket.design(MIDDLE)
    loaded = bracket.built(made)
    force_F = np.zeros(len(loaded.stiffness_FF))
    force_F[3 * bracket.TIP + 1] = -bracket.LOAD_N
    back_F = loaded.stiffness_FF @ frame.displacements(loaded, force_F) - force_F
    upper, lower = back_F[:3], back_F[3:6]
    assert (upper + lower)[:2] == pytest.approx([0.0, bracket.LOAD_N], abs=1e-5)
    turning = (lower[0] - upper[0]) * bracket.ANCHOR_M + upper[2] + lower[2]
    assert turning == pytest.approx(bracket.LOAD_N * bracket.REACH_M, abs=1e-5)


def test_four_elements_a_tube_are_enough_for_what_is_judged() -> None:
    made = bracket.design(MIDDLE)
    coarse = bracket.behaviour(made).modes.frequency_hz_K[:2]
    fine = frame.frame(
        made.joints_m_J2,
        bracket.ENDS,
        made.tubes,
        youngs_pa=made.material.youngs_pa,
        density_kg_m3=made.material.density_kg_m3,
        fixed=(bracket.UPPER, bracket.LOWER),
        each=20,
    )
    fine = frame.with_payload(fine, bracket.TIP, bracket.PAYLOAD_KG)
    assert coarse == pytest.approx(frame.modes(fine, 2).frequency_hz_K, rel=1e-3)


def test_a_verdict_holds_both_limits() -> None:
    stiff = of(**{f"wall_{m}": 2.6 for m in range(1, 7)}, **{f"diameter_{m}": 30 for m in (1, 2)})
    assert stiff.deflection_mm <= bracket.DEFLECTION_MM
    f1_hz = stiff.modes.frequency_hz_K[0]
    assert stiff.good == (f1_hz >= bracket.F1_HZ)
    low = stiff._replace(modes=stiff.modes._replace(frequency_hz_K=np.array([519.9])))
    high = stiff._replace(modes=stiff.modes._replace(frequency_hz_K=np.array([520.0])))
    assert (low.good, high.good) == (False, True)
    assert not high._replace(deflection_mm=0.601).good


def test_joints_in_one_place_are_refused() -> None:
    same = {"x1": 200.0, "y1": 0.0, "x2": 200.0, "y2": 0.0}
    with pytest.raises(ValueError, match=r"tube 4 would be 0\.0 mm long and 20\.0 mm wide; move"):
        bracket.design(MIDDLE | same)
    with pytest.raises(ValueError, match=r"tube 4 would be 15\.0 mm long"):
        bracket.design(MIDDLE | same | {"y1": 15.0})


def test_a_metal_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="material 'wood' is not known; take one of steel, alum"):
        bracket.design(MIDDLE | {"material": "wood"})
