"""Quantiles say where numbers lie, and what many rows share stays one number."""

import numpy as np
import pytest

from modalloy.drift.sketch import POINTS, Sketch


def test_shares_below_are_those_of_the_numbers(draw: np.random.Generator) -> None:
    x_N = draw.normal(size=5000)
    sketch = Sketch.of(x_N)
    assert len(sketch.points_K) == POINTS
    at = np.linspace(-2, 2, 41)
    true = [(x_N <= a).mean() for a in at]
    np.testing.assert_allclose(sketch.below(at), true, atol=1.0 / (POINTS - 1))


def test_a_number_that_many_rows_have_keeps_its_share(draw: np.random.Generator) -> None:
    x_N = np.where(draw.random(4000) < 0.3, 2.5, draw.uniform(0, 10, 4000))
    sketch = Sketch.of(x_N)
    at = np.array([2.5])
    share = sketch.below(at)[0] - sketch.below(at, strictly=True)[0]
    assert share == pytest.approx(0.3, abs=0.02)


def test_ranks_are_even_where_nothing_drifted(draw: np.random.Generator) -> None:
    sketch = Sketch.of(draw.exponential(size=3000))
    rank_B = sketch.rank(draw.exponential(size=3000))
    np.testing.assert_allclose(np.histogram(rank_B, 5, (0, 1))[0] / 3000, 0.2, atol=0.03)
    assert np.isnan(sketch.rank(np.array([np.nan]))[0])


@pytest.mark.parametrize("x", [[], [4.0], [4.0] * 9, [np.nan, np.inf]])
def test_few_numbers_and_constants_are_no_fault(x: list[float]) -> None:
    sketch = Sketch.of(np.array(x))
    below = sketch.below(np.array([3.0, 4.0, 5.0]))
    known = np.isfinite(x).any()
    assert sketch.count == np.isfinite(x).sum()
    if known:
        assert below.tolist() == [0.0, 1.0, 1.0]
        assert sketch.below(np.array([4.0]), strictly=True).tolist() == [0.0]
        assert sketch.median == 4.0
    else:
        assert np.isnan(sketch.median)
