"""The region grows with success, shrinks with failure, and stays inside the space."""

import numpy as np

from modalloy.designing.trust_region import TrustRegion


def test_it_grows_and_shrinks() -> None:
    middle = np.full(3, 0.5)
    region = TrustRegion(middle)
    assert not region.exhausted
    grown = region.after(middle, better=True).after(middle + 0.1, better=True)
    assert grown.length == 2 * region.length
    np.testing.assert_array_equal(grown.centre_D, middle + 0.1)
    assert grown.after(middle, better=True).after(middle, better=True).length == 1.6
    mixed = region.after(middle, better=True).after(middle, better=False)
    assert (mixed.length, mixed.successes, mixed.failures) == (0.8, 0, 1)
    for _ in range(14):
        region = region.after(middle, better=False)
    assert region.exhausted


def test_its_box_stays_inside_the_space() -> None:
    region = TrustRegion(np.array([0.5, 0.1, 0.95]), length=0.4)
    low_D, high_D = region.bounds()
    np.testing.assert_allclose(low_D, [0.3, 0.0, 0.75])
    np.testing.assert_allclose(high_D, [0.7, 0.3, 1.0])
