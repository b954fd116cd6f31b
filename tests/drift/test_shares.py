"""Counts and shares against scipy's tests and closed forms."""

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from modalloy.drift.shares import chi_square, one_share, stability, stability_of
from modalloy.drift.sketch import Sketch


def test_chi_square_agrees_with_scipy(draw: np.random.Generator) -> None:
    old, new = draw.multinomial(900, [0.5, 0.3, 0.2]), draw.multinomial(300, [0.4, 0.35, 0.25])
    theirs = chi2_contingency(np.stack([old, new]), correction=False)
    assert chi_square(old, new).chance == pytest.approx(theirs.pvalue)


def test_rare_names_are_counted_together() -> None:
    old, new = np.array([500, 400, 1, 1, 1, 1]), np.array([50, 40, 0, 0, 0, 0])
    assert chi_square(old, new).chance > 0.9
    assert chi_square(np.zeros(3), np.array([5, 5, 5])).chance == 1.0
    assert chi_square(np.array([700]), np.array([70])).chance == 1.0


def test_a_share_by_fishers_test() -> None:
    found = one_share(10, 1000, 50, 500)
    assert found.size == pytest.approx(0.09)
    assert found.chance < 1e-10
    assert one_share(0, 1000, 0, 500).chance == 1.0


def test_stability_is_its_sum() -> None:
    old, new = np.array([50.0, 50.0]), np.array([80.0, 20.0])
    p, q = (np.array([50.5, 50.5]) / 101, np.array([80.5, 20.5]) / 101)
    assert stability(old, new) == pytest.approx(((q - p) * np.log(q / p)).sum())
    x = np.random.default_rng(0).normal(size=4000)
    assert stability_of(Sketch.of(x), x) < 0.01
    assert stability_of(Sketch.of(x), x + 1.0) > 0.5
