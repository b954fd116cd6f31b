"""The sequence that is certified comes from rows that teach; the certificate's rows only end it."""

import numpy as np
import pytest

from modalloy.economy.arms import static
from modalloy.economy.certificate import Asked
from modalloy.economy.frontier import (
    EVERYTHING,
    PRICES,
    Point,
    certify,
    learn_points,
    of_arm,
    sequence,
)
from modalloy.economy.lessons import Lessons, follow
from modalloy.economy.rows import folds, halves
from modalloy.policy.rules import Subset
from processes import told_by_the_first


def point(bought: list[int], cost: float, risk: float) -> Point:
    """A point of an arm."""
    return Point("arm", Subset(np.array(bought, dtype=bool)), cost, risk)


def test_points_that_another_beats_have_no_place_and_the_safest_comes_first() -> None:
    lessons = told_by_the_first(60)
    points = [point([1, 0, 0], 0.1, 0.3), point([1, 1, 0], 0.4, 0.1), point([0, 1, 0], 0.5, 0.2)]
    found = sequence(lessons, points)
    assert [(p.arm, p.cost) for p in found[1:]] == [("arm", 0.4), ("arm", 0.1)]
    assert found[0].arm == EVERYTHING
    assert (found[0].cost, found[0].risk) == (1.0, 0.0)
    assert of_arm(found, "arm") == found[1:]


def test_the_certificate_ends_at_the_first_point_that_loses_too_much() -> None:
    lessons = told_by_the_first(120)  # without the third input one of six decisions is worse
    points = sequence(lessons, [point([1, 1, 0], 0.4, 0.1), point([1, 0, 0], 0.1, 0.3)])
    loose = certify(points, lessons, Asked(0.25, 0.9))
    assert loose.count == 2
    assert loose.chosen.cost == 0.4
    assert loose.outcome.worse_N.mean() == pytest.approx(1 / 6)
    strict = certify(points, lessons, Asked(0.1, 0.9))
    assert (strict.count, strict.chosen.arm) == (1, EVERYTHING)
    assert strict.outcome.worse_N.sum() == 0


def test_what_a_point_costs_and_loses_is_said_by_rows_it_was_not_learned_from() -> None:
    """The best set of the first two folds is asked of the third, and so on."""
    lessons = told_by_the_first(30)
    luck = np.random.default_rng(0).random(lessons.worse_SN.shape) < 0.2
    lucky = Lessons(**{**vars(lessons), "worse_SN": np.where(luck, 0.0, lessons.worse_SN)})
    fold_N = folds(None, 30, 3)
    done: list[int] = []
    points = learn_points(lucky, fold_N, seed=0, arms=(static,), tick=done.append)
    assert len(done) == 4
    for p, found in enumerate(points):
        cost_N = np.zeros(30)
        for fold in range(3):
            own, rest = np.flatnonzero(fold_N == fold), np.flatnonzero(fold_N != fold)
            (rule,) = static.fit(lucky.some(rest), PRICES[p : p + 1], seed=0)
            cost_N[own] = follow(rule, lucky.some(own)).cost_N
        assert found.cost == pytest.approx(cost_N.mean())


def test_halves_and_folds_keep_together_what_belongs_together() -> None:
    rows = np.arange(100, 160)
    labels = {row: f"m{row % 6}" for row in rows.tolist()}
    one, other = halves(rows, labels, seed=0)
    assert sorted([*one, *other]) == rows.tolist()
    assert not {labels[r] for r in one.tolist()} & {labels[r] for r in other.tolist()}
    assert len(one) == len(other) == 30
    alone, rest = halves(rows, None, seed=0)
    assert len(alone) == len(rest) == 30
    assert halves(rows, None, seed=0)[0].tolist() == alone.tolist()
    assert halves(rows, None, seed=1)[0].tolist() != alone.tolist()
    own = [labels[r] for r in rows.tolist()]
    fold_N = folds(own, 60, 3)
    assert len({(label, fold) for label, fold in zip(own, fold_N, strict=True)}) == 6
