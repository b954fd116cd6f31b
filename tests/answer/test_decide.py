"""Decisions are those of least expected cost, found by trying all of them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from modalloy.answer.decide import decide, decision_columns, ranges
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.job.costs import Costs, costs_of

NAMES = ("fault", "fine")


def costs(names: tuple[str, ...] = NAMES, counts: tuple[int, ...] = (10, 90), **said: Any) -> Costs:
    """Costs of a task with such a group `decide`."""
    options = config.Classify(target="y", decide=config.Decide(**said))
    found = costs_of("fault", options.decide, names, counts)
    assert found is not None
    return found


def test_the_slow_way_agrees(draw: np.random.Generator) -> None:
    matrix = draw.uniform(0, 5, (3, 3)) * (1 - np.eye(3))
    found = costs(("a", "b", "c"), (1, 1, 1), costs=matrix.tolist(), ask=0.8)
    p_BC = draw.dirichlet(np.ones(3), 200)
    said = decide(found, p_BC)
    for p_C, choice, cost in zip(p_BC, said.choice_B, said.cost_B, strict=True):
        of = [sum(p_C[c] * matrix[c][a] for c in range(3)) for a in range(3)] + [0.8]
        assert cost == pytest.approx(min(of))
        assert of[choice] == pytest.approx(min(of))
    assert set(said.choice_B) == {0, 1, 2, 3}
    alone = [decide(found, p_BC[i : i + 1]).cost_B[0] for i in range(20)]
    assert alone == said.cost_B[:20].tolist()  # a row alone is a row in a batch, to the last bit


def test_misses_and_false_alarms_make_three_ranges() -> None:
    found = costs(costs={"miss": 10, "false_alarm": 1, "ask": 0.5})
    assert found.positive == "fault"  # the rarer one
    said = ranges(found)
    assert [r.decision for r in said] == ["accept", "ask", "reject"]
    assert [r.low for r in said] == pytest.approx([0, 0.05, 0.5])
    p = np.array([[0.04, 0.96], [0.06, 0.94], [0.49, 0.51], [0.51, 0.49]])
    assert [found.decisions[i] for i in decide(found, p).choice_B] == [
        "accept", "ask", "ask", "reject"
    ]  # fmt: skip
    without = ranges(costs(costs={"miss": 10, "false_alarm": 1}))
    assert [r.low for r in without] == pytest.approx([0, 1 / 11])


def test_positive_ask_and_costs_change_what_is_decided() -> None:
    p = np.array([[0.2, 0.8]])

    def first(**said: Any) -> tuple[str, float]:
        found = costs(**said)
        one = decide(found, p)
        return found.decisions[one.choice_B[0]], one.cost_B[0]

    both = {"miss": 10, "false_alarm": 1}
    assert first(costs=both) == ("reject", pytest.approx(0.8))
    assert first(costs=both, ask=0.3) == ("ask", pytest.approx(0.3))
    assert first(costs=both, positive="fine") == ("reject", pytest.approx(0.2))
    assert first(costs={"miss": 2, "false_alarm": 1}) == ("accept", pytest.approx(0.4))
    named = {"fault": {"fine": 10}, "fine": {"fault": 1}}
    assert first(costs=named) == ("fault", pytest.approx(0.8))
    assert first(costs=[[0, 10], [1, 0]]) == ("fault", pytest.approx(0.8))


@pytest.mark.parametrize(
    ("said", "names", "why"),
    [
        ({"costs": {"miss": 1, "false_alarm": 1}}, ("a", "b", "c"), "are for two classes"),
        (
            {"costs": {"miss": 1, "false_alarm": 1}, "positive": "fualt"},
            NAMES,
            "no class 'fualt'; there are fault or fine. Did you mean 'fault'",
        ),
        ({"costs": [[0, 1], [1, 0]]}, ("a", "b", "c"), "has 2 rows and columns, and there are 3"),
        ({"costs": {"a": {"x": 1}, "x": {"a": 1}}}, ("a", "b"), "no class 'x'"),
        ({"costs": {"a": {"b": 1}, "b": {"a": 1}}}, ("a", "b", "c"), "nothing of class 'c'"),
        ({"costs": [[0, 1], [1, 0]], "ask": 1}, ("ask", "b"), "a class is called 'ask'"),
    ],
)
def test_classes_that_are_others_are_told(
    said: dict[str, Any], names: tuple[str, ...], why: str
) -> None:
    with pytest.raises(JobError, match=why):
        costs(names, tuple(1 for _ in names), **said)


def test_answers_get_a_decision_and_its_cost() -> None:
    options = config.Classify(target="y", decide=config.Decide(costs={"miss": 3, "false_alarm": 1}))
    target = SimpleNamespace(names=NAMES, counts=(1, 2))
    answer = {"probability": np.array([[0.9, 0.1], [0.1, 0.9]], dtype=np.float32)}
    said = decision_columns("crack", options, target, answer)
    assert said["crack.decision"] == ["reject", "accept"]
    assert said["crack.cost"] == pytest.approx([0.1, 0.3])
    assert decision_columns("crack", config.Classify(target="y"), target, answer) == {}
