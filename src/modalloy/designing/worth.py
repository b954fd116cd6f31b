"""Which designs of many are run: those worth most one after the other, each apart from the last."""

import numpy as np

from modalloy.designing.merit import Terms, best_kept, expected_gain, kept_chance, kept_front
from modalloy.designing.pareto import improvement, reference_point
from modalloy.designing.problem import Problem, Rows
from modalloy.designing.surrogates.surrogate import Predicted


def pick(
    problem: Problem,
    terms: Terms,
    rows: Rows,
    u_ND: np.ndarray,
    said: Predicted,
    fit_N: np.ndarray,
    *,
    count: int,
    least: float,
    explore: bool,
) -> list[int]:
    """Up to `count` of N designs, the most worth first.

    said: what the surrogate says of them. fit_N: which may be picked. least: distance that two of
    them must have. One objective: the smallest first, or to `explore` the largest expected gain.
    Several: the largest gain of hypervolume beside the runs that keep all constraints and the
    designs picked before, or to `explore` that of hoped-for objectives, times the chance that all
    constraints are kept.
    """
    f_NK = problem.sought(said.median_NO, said.log_O)
    if len(problem.objectives) == 1:
        best = best_kept(problem, rows, said.log_O)
        value_N = expected_gain(terms, said, best) if explore else -f_NK[:, 0]
        return spaced(u_ND, value_N, fit_N, count=count, least=least)
    chance_N = np.exp(kept_chance(terms, said)) if explore else np.ones(len(f_NK))
    if explore:
        f_NK = f_NK - said.deviation_NO[:, terms.outputs_K]
    return by_volume(
        u_ND, f_NK, chance_N, kept_front(problem, rows, said.log_O), fit_N, count=count, least=least
    )


def spaced(
    u_ND: np.ndarray, value_N: np.ndarray, fit_N: np.ndarray, *, count: int, least: float
) -> list[int]:
    """The largest values first, each apart from all before it."""
    picks: list[int] = []
    fit_N = fit_N.copy()
    while len(picks) < count and fit_N.any():
        best = int(np.argmax(np.where(fit_N, value_N, -np.inf)))
        picks.append(best)
        fit_N &= distances(u_ND, best) > least
    return picks


def by_volume(
    u_ND: np.ndarray,
    f_NK: np.ndarray,
    chance_N: np.ndarray,
    front_FK: np.ndarray,
    fit_N: np.ndarray,
    *,
    count: int,
    least: float,
) -> list[int]:
    """The largest gains of hypervolume first, those picked before being part of the front.

    A gain never grows when the front does, so only the design that leads is counted again.
    """
    picks: list[int] = []
    fit_N = fit_N.copy()
    if not fit_N.any():
        return picks
    reference_K = reference_point(front_FK if len(front_FK) else f_NK[fit_N])
    gain_N = chance_N * improvement(f_NK, front_FK, reference_K)
    while len(picks) < count and fit_N.any():
        best = int(np.argmax(np.where(fit_N, gain_N, -np.inf)))
        beside_FK = np.concatenate([front_FK, f_NK[picks]])
        gain_N[best] = (
            chance_N[best] * improvement(f_NK[best : best + 1], beside_FK, reference_K)[0]
        )
        if gain_N[best] < np.where(fit_N, gain_N, -np.inf).max():
            continue
        picks.append(best)
        fit_N &= distances(u_ND, best) > least
    return picks


def distances(u_ND: np.ndarray, at: int) -> np.ndarray:
    """How far each design is from one of them."""
    return np.sqrt(((u_ND - u_ND[at]) ** 2).sum(1))
