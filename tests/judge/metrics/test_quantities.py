"""Figures of numbers hold for very large ones, too."""

import numpy as np

from modalloy.judge.metrics.quantities import NumberTally


def test_numbers_whose_squares_are_no_floats_have_finite_figures() -> None:
    truth = np.array([1.0, 2.0, 4.0, 3.0])
    value = np.array([1.5, 2.0, 3.0, 3.5])
    small = NumberTally(list(truth), value).score()
    large = NumberTally(list(truth * 1e200), value * 1e200).score()
    assert np.isclose(large["rmse"], small["rmse"] * 1e200)
    assert np.isclose(large["mae"], small["mae"] * 1e200)
    assert np.isclose(large["r2"], small["r2"])
    one = NumberTally([1.0, 2.0, 1e308], np.array([1.0, 2.0, 3.0])).score()
    assert np.isfinite(list(one.values())).all()
