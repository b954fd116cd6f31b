"""Which designs of many are run: those worth most one after the other, each apart from the last."""

from collections.abc import Sequence
from typing import NamedTuple

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
    before: Sequence[int] = (),
) -> list[int]:
    """Up to `count` of N designs, those picked before among them, the most worth first.

    said: what the surrogate says of them. fit_N: which may be picked. least: distance that two of
    them must have. Without an objective the likeliest to keep all constraints come first. With one,
    the smallest, or to `explore` the largest expected gain. With several, the largest gain of
    hypervolume beside the runs that keep all constraints and the designs picked before, or to
    `explore` that of hoped-for objectives, times the chance that all constraints are kept.
    """
    picking = Picking(u_ND, fit_N, count, least, tuple(before))
    if not problem.objectives:
        return spaced(picking, kept_chance(terms, said))
    f_NK = problem.sought(said.median_NO, said.log_O)
    if len(problem.objectives) == 1:
        best = best_kept(problem, rows, said.log_O)
        return spaced(picking, expected_gain(terms, said, best) if explore else -f_NK[:, 0])
    chance_N = np.exp(kept_chance(terms, said)) if explore else np.ones(len(f_NK))
    if explore:
        f_NK = f_NK - said.deviation_NO[:, terms.outputs_K]
    return by_volume(picking, f_NK, chance_N, kept_front(problem, rows, said.log_O))


class Picking(NamedTuple):
    """Designs, which of them may be picked, up to how many, their least distance, and those that
    are picked already."""

    u_ND: np.ndarray
    fit_N: np.ndarray
    count: int
    least: float
    before: tuple[int, ...] = ()

    def left(self) -> np.ndarray:
        """Which may be picked beside those that are, bool (N,)."""
        left_N = self.fit_N.copy()
        for pick in self.before:
            left_N &= self.apart(pick)
        return left_N

    def apart(self, pick: int) -> np.ndarray:
        """Which are far enough from one of them, bool (N,)."""
        return np.asarray(np.sqrt(((self.u_ND - self.u_ND[pick]) ** 2).sum(1)) > self.least)


def spaced(picking: Picking, value_N: np.ndarray) -> list[int]:
    """The largest values first, each apart from all before it."""
    picks, left_N = list(picking.before), picking.left()
    while len(picks) < picking.count and left_N.any():
        best = int(np.argmax(np.where(left_N, value_N, -np.inf)))
        picks.append(best)
        left_N &= picking.apart(best)
    return picks


def by_volume(
    picking: Picking, f_NK: np.ndarray, chance_N: np.ndarray, front_FK: np.ndarray
) -> list[int]:
    """The largest gains of hypervolume first, those picked before being part of the front.

    A gain never grows when the front does, so only the design that leads is counted again.
    """
    picks, left_N = list(picking.before), picking.left()
    if not left_N.any():
        return picks
    reference_K = reference_point(front_FK if len(front_FK) else f_NK[left_N])
    gain_N = chance_N * improvement(f_NK, front_FK, reference_K)
    while len(picks) < picking.count and left_N.any():
        best = int(np.argmax(np.where(left_N, gain_N, -np.inf)))
        beside_FK = np.concatenate([front_FK, f_NK[picks]])
        gain = improvement(f_NK[best : best + 1], beside_FK, reference_K)[0]
        gain_N[best] = chance_N[best] * gain
        if gain_N[best] < np.where(left_N, gain_N, -np.inf).max():
            continue
        picks.append(best)
        left_N &= picking.apart(best)
    return picks
