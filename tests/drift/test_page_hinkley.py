"""Page and Hinkley's sum against its closed form, and a rise that it notices."""

import numpy as np

from modalloy.drift.page_hinkley import PageHinkley, rises


def test_the_sum_is_that_of_the_definition(draw: np.random.Generator) -> None:
    x = draw.random(50)
    test = PageHinkley(slack=0.05, limit=1e9)
    for v in x:
        test.add(v)
    means = np.cumsum(x) / np.arange(1, 51)
    sums = np.cumsum(x - means - 0.05)
    assert np.isclose(test.sum, sums[-1])
    assert np.isclose(test.least, min(0.0, sums.min()))


def test_a_rise_is_noticed_after_it_began(draw: np.random.Generator) -> None:
    x = np.concatenate([draw.random(300), 0.5 + draw.random(200)])
    found = rises(x, slack=0.1, limit=8.0)
    assert found
    assert 300 < found[0] < 360
    assert not rises(draw.random(500), slack=0.1, limit=8.0)
    assert not rises(-x, slack=0.1, limit=8.0)  # a fall is none
