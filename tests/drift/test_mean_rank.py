"""The test of mean ranks agrees with scipy's, and finds what the largest gap does not."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from modalloy.drift.ks import ks
from modalloy.drift.mean_rank import mean_rank
from modalloy.drift.sketch import Sketch


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.3])
def test_it_agrees_with_scipy(shift: float, draw: np.random.Generator) -> None:
    old, new = draw.normal(size=2000), draw.normal(shift, size=500)
    mine, theirs = mean_rank(Sketch.of(old), new), mannwhitneyu(new, old)
    assert mine.size == pytest.approx(abs(theirs.statistic / 1e6 - 0.5), abs=0.004)
    assert np.log10(mine.chance) == pytest.approx(np.log10(theirs.pvalue), abs=0.3 + 2 * shift)


def test_it_is_rarely_wrong_where_nothing_drifted(draw: np.random.Generator) -> None:
    chances = [
        mean_rank(Sketch.of(draw.gamma(2.0, size=800)), draw.gamma(2.0, size=200)).chance
        for _ in range(400)
    ]
    assert np.mean(np.array(chances) < 0.05) < 0.075


def test_it_finds_a_small_change_of_all_rows_that_the_largest_gap_does_not(
    draw: np.random.Generator,
) -> None:
    ranks, gaps = [], []
    for _ in range(200):
        known = Sketch.of(np.abs(draw.normal(size=550)))
        new = np.abs(draw.normal(0.0, 1.3, size=500))
        ranks.append(mean_rank(known, new).chance)
        gaps.append(ks(known, new).chance)
    assert np.median(ranks) < 0.2 * np.median(gaps)
    assert np.mean(np.array(ranks) < 1e-4) > np.mean(np.array(gaps) < 1e-4) + 0.1


def test_nothing_known_is_no_drift() -> None:
    assert mean_rank(Sketch.of(np.arange(10.0)), np.array([np.nan])).chance == 1.0
    assert mean_rank(Sketch.of(np.array([])), np.arange(10.0)).chance == 1.0
