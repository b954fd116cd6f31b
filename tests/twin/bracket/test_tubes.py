"""Tubes against solid rods, thin rings and weights by hand."""

import numpy as np
import pytest

from modalloy.twin.bracket.tubes import tubes


def test_a_tube_is_a_rod_without_the_rod_inside_it() -> None:
    found = tubes(np.array([0.03]), np.array([0.004]))
    area = np.pi / 4 * (0.03**2 - 0.022**2)
    assert found.area_m2_M == pytest.approx([area])
    assert found.second_moment_m4_M == pytest.approx([np.pi / 64 * (0.03**4 - 0.022**4)])


def test_a_thin_tube_has_the_second_moment_of_a_ring() -> None:
    found = tubes(np.array([0.1]), np.array([1e-5]))
    assert found.second_moment_m4_M == pytest.approx(np.pi / 8 * 0.1**3 * 1e-5, rel=1e-3)


def test_the_mass_of_a_metre_of_gas_pipe() -> None:
    # EN 10255, medium, 1/2": outer diameter 21.3 mm, wall 2.6 mm: 1.21 kg a metre.
    pipes = tubes(np.array([0.0213, 0.0213]), np.array([0.0026, 0.0026]))
    assert pipes.mass_kg(np.array([1.0, 0.5]), 7850.0) == pytest.approx(1.5 * 1.21, rel=0.01)


@pytest.mark.parametrize(("wall_m", "said"), [(0.01, "10.00 mm"), (0.0, "0.00 mm")])
def test_what_is_no_tube_is_named(wall_m: float, said: str) -> None:
    with pytest.raises(ValueError, match=f"tube 2 has a wall of {said}, which is no wall"):
        tubes(np.array([0.02, 0.02]), np.array([0.002, wall_m]))
