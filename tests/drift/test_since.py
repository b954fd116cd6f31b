"""The row since which numbers are different."""

import numpy as np

from modalloy.drift.since import change_point


def test_the_change_is_found_where_it_is(draw: np.random.Generator) -> None:
    x = draw.normal(size=400)
    x[250:] += 1.5
    x[300] = np.nan
    change = change_point(x)
    assert change is not None
    assert abs(change.at - 250) <= 5
    assert change.chance < 1e-6


def test_an_even_sequence_has_no_change(draw: np.random.Generator) -> None:
    found = [change_point(draw.exponential(size=100)) for _ in range(300)]
    assert np.mean([c is not None and c.chance < 0.05 for c in found]) < 0.06


def test_short_and_constant_sequences_have_none() -> None:
    assert change_point(np.ones(100)) is None
    assert change_point(np.arange(6.0)) is None
    assert change_point(np.full(50, np.nan)) is None
