"""Every arm's operating points, in an order that the certificate's rows have no part in; and those
that are certified.
"""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np

from modalloy.economy.arms import cascade, fitted_q, gate, gradient, static, value
from modalloy.economy.certificate import Asked, passed
from modalloy.economy.lessons import Lessons, Outcome, follow
from modalloy.policy.rules import Rule, Subset

ARMS: tuple[ModuleType, ...] = (static, cascade, value, gate, gradient, fitted_q)
# Worse decisions that saving the cost of everything is worth: from hardly any saving to nearly all.
PRICES = (0.003, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
EVERYTHING = "every column"
FOLDS = 3


class Point(NamedTuple):
    """A rule of an arm. cost, risk: means over rows that it was not learned from, see `Outcome`."""

    arm: str
    rule: Rule
    cost: float
    risk: float


class Certified(NamedTuple):
    """A sequence of points, and how many of them are certified, the first of all being to buy every
    column. found: how the certificate's rows ended by each.
    """

    points: list[Point]
    found: list[Outcome]
    count: int

    @property
    def chosen(self) -> Point:
        """The cheapest certified point, as the rows that policies are learned from have it."""
        return self.points[self.count - 1]

    @property
    def outcome(self) -> Outcome:
        """How the certificate's rows ended by it."""
        return self.found[self.count - 1]


def learn_points(
    lessons: Lessons,
    fold_N: np.ndarray,
    *,
    seed: int,
    arms: Sequence[ModuleType],
    tick: Callable[[int], None] = lambda n: None,
) -> list[Point]:
    """Every arm's rules, learned from all rows; what each costs and loses is said by rules that
    were learned in the same way without the rows of a fold. tick is called after every fit.
    """
    points: list[Point] = []
    for arm in arms:
        cost_PN = np.zeros((len(PRICES), len(lessons)))
        risk_PN = np.zeros_like(cost_PN)
        for fold in np.unique(fold_N):
            own, rest = np.flatnonzero(fold_N == fold), np.flatnonzero(fold_N != fold)
            part = lessons.some(own)
            for p, rule in enumerate(arm.fit(lessons.some(rest), PRICES, seed=seed)):
                found = follow(rule, part)
                cost_PN[p, own], risk_PN[p, own] = found.cost_N, found.risk_N
            tick(1)
        rules = arm.fit(lessons, PRICES, seed=seed)
        both = zip(rules, cost_PN.mean(1), risk_PN.mean(1), strict=True)
        points += [Point(arm.NAME, rule, float(c), float(r)) for rule, c, r in both]
        tick(1)
    return points


def sequence(lessons: Lessons, points: Sequence[Point]) -> list[Point]:
    """To buy every column, then points that none beats in both cost and risk: the safest and
    dearest first.
    """
    every = Subset(np.ones(len(lessons.names), dtype=bool))
    found = follow(every, lessons)
    start = Point(EVERYTHING, every, float(found.cost_N.mean()), float(found.risk_N.mean()))
    order = sorted(points, key=lambda p: (p.risk, p.cost))
    kept = [start]
    for point in order:
        if point.cost < kept[-1].cost - 1e-9:
            kept.append(point)
    return kept


def certify(points: Sequence[Point], lessons: Lessons, asked: Asked) -> Certified:
    """Test a sequence on the certificate's rows, from its start until a point fails."""
    found = [follow(point.rule, lessons) for point in points]
    worse = [int(f.worse_N.sum()) for f in found]
    return Certified(list(points), found, passed(worse, len(lessons), asked))


def of_arm(points: Sequence[Point], arm: str) -> list[Point]:
    """The points of one arm."""
    return [point for point in points if point.arm == arm]
