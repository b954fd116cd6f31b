"""A promise that is not kept, by the binomial distribution itself."""

from math import comb

import pytest

from modalloy.drift.coverage import coverage_chance


def test_too_few_sets_hold_the_truth() -> None:
    found = coverage_chance(15, 20, 0.9)
    assert found.size == pytest.approx(-0.15)
    exact = sum(comb(20, k) * 0.9**k * 0.1 ** (20 - k) for k in range(16))
    assert found.chance == pytest.approx(exact)
    assert coverage_chance(20, 20, 0.9).chance == pytest.approx(1.0)
    assert coverage_chance(0, 0, 0.9).chance == 1.0
