"""A classifier tells drifted rows from others, and names the oddest; it is not fooled by chance."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from modalloy.drift.two_samples import mann_whitney, tell_apart


def test_without_drift_it_is_rarely_sure(draw: np.random.Generator) -> None:
    found = [
        tell_apart(draw.normal(size=(100, 20)), draw.normal(size=(120, 20)), draw=draw)
        for _ in range(400)
    ]
    assert np.mean([t.chance < 0.05 for t in found]) < 0.075  # .12 if halves erred on their own
    assert np.mean([t.chance < 0.01 for t in found]) < 0.025
    assert np.mean([t.auc for t in found]) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("what", ["mean", "spread"])
def test_it_finds_means_and_spreads(what: str, draw: np.random.Generator) -> None:
    new = draw.normal(0.8, 1.0, (150, 5)) if what == "mean" else draw.normal(0.0, 2.0, (150, 5))
    told = tell_apart(draw.normal(size=(150, 5)), new, draw=draw)
    assert told.auc > 0.65
    assert told.chance < 1e-4


def test_the_oddest_rows_score_highest(draw: np.random.Generator) -> None:
    new = draw.normal(size=(200, 4))
    new[:20] += 5.0
    told = tell_apart(draw.normal(size=(200, 4)), new, draw=draw)
    assert {*np.argsort(-told.new_M)[:15]} <= {*range(20)}


def test_mann_whitney_is_scipys(draw: np.random.Generator) -> None:
    old, new = draw.integers(0, 9, 80) * 1.0, draw.integers(1, 10, 70) * 1.0
    auc, z = mann_whitney(old, new)
    theirs = mannwhitneyu(new, old, alternative="greater", use_continuity=False)
    assert auc == pytest.approx(theirs.statistic / (80 * 70))
    from scipy.special import ndtr

    assert float(ndtr(-z)) == pytest.approx(theirs.pvalue, rel=1e-6)


def test_few_rows_are_not_told_apart() -> None:
    told = tell_apart(np.zeros((3, 2)), np.ones((3, 2)), draw=np.random.default_rng(0))
    assert (told.auc, told.chance) == (0.5, 1.0)
