"""Curves that are cut off, against scipy's."""

import numpy as np
import pytest
from scipy.stats import t as student
from scipy.stats import truncnorm

from modalloy.twin.calibration.truncated import Truncated


@pytest.mark.parametrize(
    ("centre", "scale"), [(0.4, 0.01), (0.9, 0.3), (-0.2, 0.1), (1.5, 0.4), (0.5, 1e3), (0.2, 1e-7)]
)
def test_the_normal_curve_is_scipys(centre: float, scale: float) -> None:
    theirs = truncnorm((0.0 - centre) / scale, (1.0 - centre) / scale, centre, scale)
    ours = Truncated(centre, scale)
    size = min(scale, 1.0)
    assert ours.interval(0.9) == pytest.approx(theirs.interval(0.9), abs=2e-3 * size)
    assert ours.deviation == pytest.approx(theirs.std(), rel=2e-3)


def test_students_t_is_cut_off_too() -> None:
    centre, scale, freedom = 0.3, 0.05, 3.0
    low, high = student.cdf([0.0, 1.0], freedom, centre, scale)
    theirs = student.ppf(low + np.array([0.05, 0.95]) * (high - low), freedom, centre, scale)
    assert Truncated(centre, scale, freedom).interval(0.9) == pytest.approx(theirs, abs=5e-4)
    assert Truncated(centre, scale, freedom).interval(0.5)[0] > theirs[0]
