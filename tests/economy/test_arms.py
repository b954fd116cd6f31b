"""Every arm learns a rule: never better than exact dynamic programming, and those that can be are
as good.
"""

from types import ModuleType

import numpy as np
import pytest

from modalloy.economy.arms import cascade, fitted_q, gate, gradient, static, value
from modalloy.economy.frontier import ARMS
from modalloy.economy.lessons import Lessons, follow
from modalloy.policy.rules import Cascade, Gate, Rule, Subset
from processes import exact, process, told_by_the_first, worth_nothing_alone

PRICES = (0.05, 0.3, 0.9)


def paid(rule: Rule, lessons: Lessons, price: float) -> float:
    """What a rule loses and pays on average."""
    found = follow(rule, lessons)
    return float(found.risk_N.mean() + price * found.cost_N.mean())


@pytest.fixture(scope="module")
def lessons() -> Lessons:
    return told_by_the_first()


@pytest.mark.parametrize("arm", [gate, gradient, fitted_q])
def test_arms_that_can_be_are_as_good_as_exact_dynamic_programming(
    arm: ModuleType, lessons: Lessons
) -> None:
    for price, rule in zip(PRICES, arm.fit(lessons, PRICES, seed=0), strict=True):
        least = exact(lessons, price)
        assert least - 1e-9 <= paid(rule, lessons, price) <= least + 0.02


def test_the_value_network_buys_by_gain_for_cost(lessons: Lessons) -> None:
    gains = Lessons(**{**vars(lessons), "loss_SN": lessons.worse_SN})
    rules = value.fit(gains, tuple(np.linspace(0.1, 0.9, 12)), seed=0)
    best = min(paid(rule, lessons, 0.3) for rule in rules)
    assert best == pytest.approx(exact(lessons, 0.3), abs=0.02)
    costs = [float(follow(rule, lessons).cost_N.mean()) for rule in rules]
    assert costs[0] > costs[-1]  # a higher limit buys less


def test_fitted_q_buys_what_is_worth_nothing_alone_and_greedy_arms_do_not() -> None:
    hard = worth_nothing_alone()
    price = 0.5
    (rule,) = fitted_q.fit(hard, (price,), seed=0)
    assert paid(rule, hard, price) == pytest.approx(exact(hard, price), abs=0.02)
    (fixed,) = static.fit(hard, (price,), seed=0)
    assert paid(fixed, hard, price) > exact(hard, price) + 0.1


def test_the_static_arm_is_the_best_of_all_sets(lessons: Lessons) -> None:
    every = [Subset(own) for own in lessons.bought_SM]
    for price, rule in zip(PRICES, static.fit(lessons, PRICES, seed=0), strict=True):
        assert paid(rule, lessons, price) == min(paid(r, lessons, price) for r in every)


def test_the_cascade_is_the_best_order_with_the_best_thresholds(lessons: Lessons) -> None:
    orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    levels = (0.0, 0.55, 0.7, np.inf)  # all ways to part 0.5, 0.6 and 0.9
    every = [
        Cascade(np.array(order), np.array([one, other]))
        for order in orders
        for one in levels
        for other in levels
    ]
    for price, rule in zip(PRICES, cascade.fit(lessons, PRICES, seed=0), strict=True):
        best = min(paid(r, lessons, price) for r in every)
        assert paid(rule, lessons, price) == pytest.approx(best)
        assert best > exact(lessons, price) - 1e-9


@pytest.mark.parametrize("arm", ARMS)
def test_cells_that_are_not_there_are_never_bought(
    arm: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arm, "STEPS", 10, raising=False)
    few = told_by_the_first(24)
    there = np.ones((24, 3), dtype=bool)
    there[::2, 0] = False
    there[1::3, 1:] = False
    gone = Lessons(**{**vars(few), "there_NM": there})
    for rule in arm.fit(gone, PRICES, seed=0):
        bought_NM = gone.bought_SM[follow(rule, gone).set_N]
        assert not (bought_NM & ~there).any()


def test_a_higher_price_buys_less_and_the_seed_draws_the_same_rule(
    lessons: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradient, "STEPS", 60)
    for arm in (static, cascade, gradient):
        first, again = (arm.fit(lessons, (0.01, 5.0), seed=3) for _ in range(2))
        cost = [float(follow(rule, lessons).cost_N.mean()) for rule in first]
        assert cost[0] > cost[1]
        assert [follow(r, lessons).set_N.tolist() for r in first] == [
            follow(r, lessons).set_N.tolist() for r in again
        ]


def test_a_gate_looks_at_one_of_inputs_that_cost_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "STEPS", 5)
    alike = process(np.arange(20) % 2, {0: {0}, 1: {1}}, (2.0, 2.0))
    (rule,) = gate.fit(alike, (0.1,), seed=0)
    assert isinstance(rule, Gate)
    assert rule.first_M.tolist() == [True, False]
    free = process(np.arange(20) % 2, {0: {0}, 1: {1}}, (0.0, 0.0, 2.0))
    (rule,) = gate.fit(free, (0.1,), seed=0)
    assert isinstance(rule, Gate)
    assert rule.first_M.tolist() == [True, True, False]


def test_two_inputs_are_bought_in_order() -> None:
    kind_N = np.arange(40) % 2
    two = process(kind_N, {0: {0}, 1: {1}}, (1.0, 4.0))
    (rule,) = cascade.fit(two, (0.1,), seed=0)
    assert follow(rule, two).worse_N.sum() == 0
    assert follow(rule, two).cost_N.mean() == pytest.approx(0.2 + 0.8 / 2)
