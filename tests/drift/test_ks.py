"""The test against quantiles agrees with scipy's test against all numbers."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from modalloy.drift.ks import ks
from modalloy.drift.sketch import Sketch


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.6])
def test_it_agrees_with_scipy(shift: float, draw: np.random.Generator) -> None:
    old, new = draw.normal(size=2000), draw.normal(shift, size=500)
    mine, theirs = ks(Sketch.of(old), new), ks_2samp(old, new)
    assert mine.size == pytest.approx(theirs.statistic, abs=0.009)
    assert mine.size <= theirs.statistic + 1e-9  # never more than there is
    assert np.log10(mine.chance) == pytest.approx(np.log10(theirs.pvalue), abs=1.2 + 5 * shift)


def test_it_is_rarely_wrong_where_nothing_drifted(draw: np.random.Generator) -> None:
    chances = [
        ks(Sketch.of(draw.gamma(2.0, size=800)), draw.gamma(2.0, size=200)).chance
        for _ in range(400)
    ]
    assert np.mean(np.array(chances) < 0.05) < 0.075


def test_equal_numbers_make_it_say_less_not_more(draw: np.random.Generator) -> None:
    chances = [
        ks(Sketch.of(draw.integers(0, 4, 800) * 1.0), draw.integers(0, 4, 200) * 1.0).chance
        for _ in range(200)
    ]
    assert np.mean(np.array(chances) < 0.05) < 0.05


def test_nothing_known_is_no_drift() -> None:
    assert ks(Sketch.of(np.arange(10.0)), np.array([np.nan])).chance == 1.0
    assert ks(Sketch.of(np.array([])), np.arange(10.0)).chance == 1.0
