"""Designs far from all rows are called extrapolations, those among them are not."""

import numpy as np

from modalloy.designing.extrapolation import fit_reach


def test_far_designs_extrapolate() -> None:
    draw = np.random.default_rng(0)
    rows_ND = draw.random((500, 6)) * 0.5
    reach = fit_reach(rows_ND)
    assert reach.extrapolates(draw.random((400, 6)) * 0.5).mean() < 0.04
    assert reach.extrapolates(np.full((1, 6), 0.9)).all()
    line_ND = np.linspace(0.25, 1.0, 20)[:, None] * np.ones(6)
    assert (np.diff(reach.distances(line_ND)[8:]) > 0).all()


def test_the_limit_is_what_one_row_in_a_hundred_passes() -> None:
    rows_ND = np.random.default_rng(1).random((300, 4))
    apart_NN = np.sqrt(((rows_ND[:, None] - rows_ND) ** 2).sum(-1))
    slow_N = np.sort(apart_NN, axis=1)[:, 1:6].mean(1)
    assert fit_reach(rows_ND).limit == np.quantile(slow_N, 0.99)


def test_a_few_rows_have_a_reach_too() -> None:
    assert fit_reach(np.zeros((1, 2))).extrapolates(np.ones((1, 2))).all()
    two = fit_reach(np.array([[0.0, 0.0], [1.0, 0.0]]))
    assert two.extrapolates(np.array([[0.5, 0.0], [3.0, 0.0]])).tolist() == [False, True]
