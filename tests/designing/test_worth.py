"""Designs are picked by what they are worth, each apart from those before it."""

import numpy as np

from modalloy.designing.pareto import hypervolume, reference_point
from modalloy.designing.worth import Picking, by_volume, spaced


def test_the_largest_values_that_are_apart() -> None:
    u_ND = np.array([[0.0], [0.05], [0.5], [0.55], [1.0]])
    value_N, fit_N = np.array([3.0, 5, 1, 2, 9]), np.array([True, True, True, True, False])
    assert spaced(Picking(u_ND, fit_N, 3, 0.1), value_N) == [1, 3]
    assert spaced(Picking(u_ND, fit_N, 3, 0.01), value_N) == [1, 0, 3]
    assert spaced(Picking(u_ND, fit_N, 1, 0.01), value_N) == [1]
    assert spaced(Picking(u_ND, fit_N, 3, 0.1, (4, 0)), value_N) == [4, 0, 3]
    assert fit_N.sum() == 4


def test_each_pick_adds_most_to_the_volume_of_those_before() -> None:
    draw = np.random.default_rng(0)
    u_ND, f_NK, front_FK = draw.random((60, 3)), draw.random((60, 2)), np.array([[0.5, 0.6]])
    chance_N, fit_N = draw.random(60), draw.random(60) < 0.8
    picks = by_volume(Picking(u_ND, fit_N, 6, 0.1), f_NK, chance_N, front_FK)
    reference_K, beside, left = reference_point(front_FK), front_FK, fit_N.copy()
    for pick in picks:
        before = hypervolume(beside, reference_K)
        slow_N = [hypervolume(np.vstack([beside, f]), reference_K) - before for f in f_NK]
        slow_N = np.where(left, chance_N * np.array(slow_N), -1.0)
        assert slow_N[pick] == np.max(slow_N) or np.isclose(slow_N[pick], np.max(slow_N))
        beside = np.vstack([beside, f_NK[pick]])
        left &= np.sqrt(((u_ND - u_ND[pick]) ** 2).sum(1)) > 0.1
    assert len(picks) == 6
    nothing = by_volume(Picking(u_ND, np.zeros(60, bool), 2, 0.1), f_NK, chance_N, front_FK)
    assert nothing == []
    more = by_volume(Picking(u_ND, fit_N, 6, 0.1, tuple(picks[:2])), f_NK, chance_N, front_FK)
    assert more == picks
    alone = by_volume(Picking(u_ND, fit_N, 2, 0.1), f_NK, chance_N, front_FK[:0])
    assert len(alone) == 2
