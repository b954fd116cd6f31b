"""Shapley values of players and of pairs of them: what each adds to a game, over all coalitions."""

from collections.abc import Callable
from math import factorial
from typing import NamedTuple

import numpy as np

EXACT_UP_TO = 10  # players: 1,024 coalitions; beyond it permutations are drawn
PAIRS = 32  # permutations that are drawn, each with its reverse

Worth = Callable[[np.ndarray], np.ndarray]  # coalitions (S, N) bool -> what each is worth, (S,)


class Shares(NamedTuple):
    """What each of N players adds to a game.

    value_N: Shapley values, whose sum is `whole` - `nothing`. error_N: standard errors of sampled
    values, None where they are exact. pair_NN: Shapley interaction indices of pairs, zero on the
    diagonal, None where values are sampled. whole, nothing: what all players and none are worth.
    asked: how many coalitions were asked.
    """

    value_N: np.ndarray
    error_N: np.ndarray | None
    pair_NN: np.ndarray | None
    whole: float
    nothing: float
    asked: int


def share_out(
    players: int,
    worth: Worth,
    *,
    exact_up_to: int = EXACT_UP_TO,
    pairs: int = PAIRS,
    seed: int = 0,
) -> Shares:
    """Shapley values (Shapley 1953): exact for few players, else an estimate with its error."""
    if players <= exact_up_to:
        return exact(players, worth)
    return sampled(players, worth, pairs=pairs, seed=seed)


def exact(players: int, worth: Worth) -> Shares:
    """Values and pairwise interaction indices (Grabisch & Roubens 1999) over all 2^N coalitions.

    The interaction of a pair is what its members add together beyond what each adds alone, averaged
    over coalitions of the others as Shapley values are.
    """
    number_S = np.arange(2**players)
    seen_SN = (number_S[:, None] >> np.arange(players)) & 1 == 1
    v_S = np.asarray(worth(seen_SN), dtype=np.float64)
    size_S = seen_SN.sum(1)
    value_N, pair_NN = np.zeros(players), np.zeros((players, players))
    for i in range(players):
        out_S = number_S[~seen_SN[:, i]]
        weight_S = weights(players, size_S[out_S])
        value_N[i] = weight_S @ (v_S[out_S | 1 << i] - v_S[out_S])
        for j in range(i):
            both_S = out_S[~seen_SN[out_S, j]]
            gain_S = v_S[both_S | 1 << i | 1 << j] - v_S[both_S | 1 << i] - v_S[both_S | 1 << j]
            weight_S = weights(players - 1, size_S[both_S])
            pair_NN[i, j] = pair_NN[j, i] = weight_S @ (gain_S + v_S[both_S])
    return Shares(value_N, None, pair_NN, float(v_S[-1]), float(v_S[0]), len(v_S))


def weights(players: int, size_S: np.ndarray) -> np.ndarray:
    """Share of the orders of players in which exactly these come before a given one, by how many
    they are.
    """
    each = [factorial(s) * factorial(players - 1 - s) / factorial(players) for s in range(players)]
    return np.array(each)[size_S]


def sampled(players: int, worth: Worth, *, pairs: int = PAIRS, seed: int = 0) -> Shares:
    """Values from permutations drawn by chance, each with its reverse (antithetic, Mitchell et al.
    2022, 2104.12199), and the standard error of each; they too add up exactly.
    """
    assert pairs > 1, "one pair has no standard error"
    draw = np.random.default_rng(seed)
    order_PN = np.array([draw.permutation(players) for _ in range(pairs)])
    order_RN = np.stack([order_PN, order_PN[:, ::-1]], 1).reshape(2 * pairs, players)
    place_RN = order_RN.argsort(1)
    # The first k of an order, for k from 0 to N, are a coalition each.
    seen_RKN = place_RN[:, None] < np.arange(players + 1)[:, None]
    flat_SN = seen_RKN.reshape(-1, players)
    different, back_S = np.unique(flat_SN, axis=0, return_inverse=True)
    v_RK = np.asarray(worth(different), dtype=np.float64)[back_S].reshape(2 * pairs, players + 1)
    gain_RN = np.take_along_axis(np.diff(v_RK, axis=1), place_RN, 1)
    pair_PN = gain_RN.reshape(pairs, 2, players).mean(1)
    error_N = pair_PN.std(0, ddof=1) / np.sqrt(pairs)
    ends = (float(v_RK[0, -1]), float(v_RK[0, 0]))
    return Shares(pair_PN.mean(0), error_N, None, *ends, len(different))
