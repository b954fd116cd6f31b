"""Tails of the binomial distribution: as scipy has them, and by counting where counts are small."""

from math import comb

import numpy as np
import pytest
from scipy.special import bdtrc, betainc

from modalloy.answer.chances import at_least, incomplete_beta


def test_by_counting() -> None:
    for hits in range(8):
        slow = sum(comb(6, k) * 0.3**k * 0.7 ** (6 - k) for k in range(hits, 7))
        assert at_least(hits, 6, 0.3) == pytest.approx(slow, rel=1e-12)


@pytest.mark.parametrize("tries", [1, 10, 1000, 1_000_000])
def test_at_least_is_scipys(tries: int) -> None:
    for share in (1e-6, 1e-3, 0.3, 0.999):
        for hits in {0, 1, tries // 1000, tries // 3, tries - 1, tries}:
            expected = bdtrc(hits - 1, tries, share) if hits else 1.0
            assert at_least(hits, tries, share) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_incomplete_beta_is_scipys(draw: np.random.Generator) -> None:
    for a, b, x in zip(*draw.uniform(0.01, 300, (2, 200)), draw.random(200), strict=True):
        assert incomplete_beta(a, b, x) == pytest.approx(betainc(a, b, x), rel=1e-9, abs=1e-13)
    assert (incomplete_beta(2, 3, 0.0), incomplete_beta(2, 3, 1.0)) == (0.0, 1.0)
