"""Fronts and hypervolumes agree with what slow counting gives."""

import numpy as np
import pytest

from modalloy.designing.pareto import front, hypervolume, improvement, ranks, reference_point


def test_the_front_is_what_comparing_all_pairs_gives() -> None:
    y_NK = np.random.default_rng(0).integers(0, 6, (200, 3)).astype(float)
    slow = [not ((y_NK <= y).all(1) & (y_NK < y).any(1)).any() for y in y_NK]
    assert front(y_NK).tolist() == slow
    y_NK[0] = [0, 0, np.nan]
    assert not front(y_NK)[0]


def test_ranks_are_fronts_taken_away_one_by_one() -> None:
    y_NK = np.array([[1.0, 4], [2, 2], [4, 1], [2, 5], [3, 3], [5, 5], [np.nan, 0], [2, 2]])
    assert ranks(y_NK).tolist() == [0, 0, 0, 1, 1, 2, -1, 0]


@pytest.mark.parametrize("objectives", [2, 3])
def test_the_hypervolume_is_the_share_of_random_points_that_are_dominated(objectives: int) -> None:
    draw = np.random.default_rng(1)
    y_NK = draw.random((30, objectives))
    points = draw.random((200_000, objectives))
    dominated = np.zeros(len(points), dtype=bool)
    for y_K in y_NK:
        dominated |= (points >= y_K).all(1)
    exact = hypervolume(y_NK, np.ones(objectives))
    assert exact == pytest.approx(dominated.mean(), abs=0.004)


def test_known_volumes() -> None:
    steps = np.array([[1.0, 3], [2, 2], [3, 1]])
    assert hypervolume(steps, np.array([4.0, 4])) == 6.0
    assert hypervolume(steps, np.array([1.0, 1])) == 0.0
    assert hypervolume(np.zeros((1, 3)), np.array([1.0, 2, 3])) == 6.0
    corners = np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
    assert hypervolume(corners, np.full(3, 2.0)) == 4.0
    assert hypervolume(np.array([[3.0], [1]]), np.array([4.0])) == 3.0


@pytest.mark.parametrize("objectives", [2, 3])
def test_an_improvement_is_the_difference_of_two_volumes(objectives: int) -> None:
    draw = np.random.default_rng(2)
    y_NK, new_MK = draw.random((15, objectives)), draw.random((20, objectives)) * 1.1
    reference_K = np.ones(objectives)
    before = hypervolume(y_NK, reference_K)
    slow = [hypervolume(np.vstack([y_NK, new]), reference_K) - before for new in new_MK]
    np.testing.assert_allclose(improvement(new_MK, y_NK, reference_K), slow, atol=1e-12)
    alone = improvement(new_MK, y_NK[:0], reference_K)
    assert alone[0] == pytest.approx(hypervolume(new_MK[:1], reference_K))


def test_the_reference_lies_beyond_the_front() -> None:
    assert reference_point(np.array([[1.0, 3], [2, 2], [9, 9]])).tolist() == [2.1, 3.1]
    assert reference_point(np.array([[1.0, 3], [1, 3]])).tolist() == pytest.approx([1.1, 3.3])
