"""The discrepancy of two clouds against its double sum, and its chance without drift."""

import numpy as np
import pytest

from modalloy.drift.mmd import kernel, mmd, tail


def test_it_is_the_unbiased_double_sum(draw: np.random.Generator) -> None:
    old, new = draw.normal(size=(12, 3)), draw.normal(0.5, size=(9, 3))
    k = kernel(np.concatenate([old, new])).astype(np.float64)
    a = sum(k[i, j] for i in range(12) for j in range(12) if i != j) / (12 * 11)
    b = sum(k[i, j] for i in range(12, 21) for j in range(12, 21) if i != j) / (9 * 8)
    c = k[:12, 12:].mean()
    found = mmd(old, new, draw=np.random.default_rng(0)).size
    assert found == pytest.approx(a + b - 2 * c, abs=1e-5)


def test_its_chance_is_even_without_drift_and_small_with(draw: np.random.Generator) -> None:
    chances = [
        mmd(draw.normal(size=(60, 4)), draw.normal(size=(50, 4)), draw=draw).chance
        for _ in range(150)
    ]
    assert 0.3 < np.mean(chances) < 0.7
    assert np.mean(np.array(chances) < 0.05) < 0.1
    assert mmd(draw.normal(size=(60, 4)), draw.normal(1.0, size=(50, 4)), draw=draw).chance < 1e-4


def test_beyond_all_shuffles_the_tail_goes_on(draw: np.random.Generator) -> None:
    shuffled = draw.normal(size=200)
    assert tail(0.0, shuffled) == pytest.approx(0.5, abs=0.1)
    assert 1e-10 < tail(6.0, shuffled) < 1e-5
    assert tail(6.0, -(draw.random(200) ** 4)) > 0.0  # that lean the other way
    assert tail(0.0, np.zeros(200)) > 0.9
