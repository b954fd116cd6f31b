"""Shapley values and interactions agree with games worked out by hand and by every order."""

from itertools import permutations

import numpy as np
import pytest

from modalloy.attribution.game import exact, sampled, share_out


def by_orders(players: int, table_S: np.ndarray) -> np.ndarray:
    """Values as the mean over all orders in which players may come."""
    value_N, orders = np.zeros(players), list(permutations(range(players)))
    for order in orders:
        before = 0
        for i in order:
            value_N[i] += (table_S[before | 1 << i] - table_S[before]) / len(orders)
            before |= 1 << i
    return value_N


def looked_up(table_S: np.ndarray, seen_SN: np.ndarray) -> np.ndarray:
    """What coalitions are worth by a table over their numbers."""
    return table_S[(seen_SN * (1 << np.arange(seen_SN.shape[1]))).sum(1)]


def test_exact_values_are_means_over_all_orders(draw: np.random.Generator) -> None:
    for players in (1, 2, 4, 5):
        table_S = draw.normal(0, 1, 2**players)
        found = exact(players, lambda seen, t=table_S: looked_up(t, seen))
        assert found.value_N == pytest.approx(by_orders(players, table_S), abs=1e-12)
        assert found.value_N.sum() == pytest.approx(found.whole - found.nothing, abs=1e-12)
        assert (found.whole, found.nothing, found.asked) == (table_S[-1], table_S[0], 2**players)


def test_the_glove_game_by_hand() -> None:
    # One left glove and two right ones: a pair is worth 1. Known values: 2/3, 1/6, 1/6.
    found = exact(3, lambda seen: (seen[:, 0] & seen[:, 1:].any(1)).astype(float))
    assert found.value_N == pytest.approx([2 / 3, 1 / 6, 1 / 6])
    # The right gloves are in each other's way: I(1, 2) = 1/2 (0) + 1/2 (1 - 1 - 1) = -1/2.
    assert found.pair_NN[1, 2] == pytest.approx(-0.5)
    assert found.pair_NN[0, 1] == pytest.approx(0.5)


def test_the_pair_of_an_exclusive_or_is_found() -> None:
    # Worth 1 where exactly one of two is seen; the third player adds 3 whatever the others do.
    found = exact(3, lambda seen: (seen[:, 0] ^ seen[:, 1]) + 3.0 * seen[:, 2])
    assert found.value_N == pytest.approx([0.0, 0.0, 3.0], abs=1e-12)
    assert found.pair_NN[0, 1] == found.pair_NN[1, 0] == pytest.approx(-2.0)
    assert found.pair_NN[2] == pytest.approx(np.zeros(3), abs=1e-12)


def test_sampled_values_add_up_and_lie_within_their_errors(draw: np.random.Generator) -> None:
    table_S = draw.normal(0, 1, 2**8)
    true_N = exact(8, lambda seen: looked_up(table_S, seen)).value_N
    apart = []
    for seed in range(20):
        found = sampled(8, lambda seen: looked_up(table_S, seen), pairs=40, seed=seed)
        assert found.value_N.sum() == pytest.approx(table_S[-1] - table_S[0], abs=1e-12)
        assert found.pair_NN is None
        apart.append((found.value_N - true_N) / found.error_N)
    assert 0.8 < np.std(apart) < 1.25  # the error printed is the error made


def test_additive_games_need_no_luck_and_many_players_are_sampled() -> None:
    weight_N = np.arange(12.0)
    found = share_out(12, lambda seen: seen @ weight_N, pairs=2)
    assert found.value_N == pytest.approx(weight_N)
    assert found.error_N == pytest.approx(np.zeros(12), abs=1e-12)
    assert share_out(10, lambda seen: seen @ weight_N[:10]).error_N is None
    assert share_out(4, lambda seen: seen @ weight_N[:4], exact_up_to=3).error_N is not None
