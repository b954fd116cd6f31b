"""Rules buy what they say, never what is not there, and come back from a run as they were."""

import numpy as np
import pytest

from modalloy.errors import RunError
from modalloy.policy.net import Net
from modalloy.policy.plan import Plan, plan_from_bytes
from modalloy.policy.rules import Cascade, Gate, Rule, Scored, Subset
from modalloy.policy.seen import Features, Form, Seen

FIRST, SECOND = np.array([True, False, False]), np.array([False, True, False])


def seen(bought: list[list[int]], gone: list[list[int]], sure: list[float]) -> Seen:
    """Rows with three inputs."""
    bought_BM = np.array(bought, dtype=bool)
    x_BF = np.array(sure, dtype=np.float32)[:, None]
    return Seen(bought_BM, ~bought_BM & ~np.array(gone, dtype=bool), x_BF)


def net(draw: np.random.Generator, outputs: int) -> Net:
    """Random weights over what is seen of three inputs and one feature."""
    w1_FH, w2_HO = draw.normal(size=(7, 5)), draw.normal(size=(5, outputs))
    return Net(np.zeros(7), np.ones(7), w1_FH, draw.normal(size=5), w2_HO, np.zeros(outputs))


def test_a_subset_is_bought_at_once_as_far_as_it_is_there() -> None:
    rows = seen([[0, 0, 0], [0, 0, 0], [1, 1, 0]], [[0, 0, 0], [1, 0, 0], [0, 0, 0]], [0.5] * 3)
    wanted = Subset(FIRST | SECOND).wants(rows)
    assert wanted.tolist() == [[True, True, False], [False, True, False], [False] * 3]


def test_a_cascade_goes_in_its_order_until_it_is_sure_and_passes_over_what_is_not_there() -> None:
    rule = Cascade(np.array([2, 0]), np.array([0.8]))  # the second input is never bought
    start = seen([[0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 1]], [0.99, 0.99])
    assert rule.wants(start).tolist() == [[False, False, True], [True, False, False]]
    later = seen([[0, 0, 1], [0, 0, 1], [1, 0, 1]], [[0, 0, 0]] * 3, [0.7, 0.9, 0.1])
    assert rule.wants(later).tolist() == [[True, False, False], [False] * 3, [False] * 3]


def test_a_score_is_the_networks_and_buys_above_the_limit(draw: np.random.Generator) -> None:
    nets = tuple(net(draw, 3) for _ in range(3))
    times = np.array([1.0, 2.0, 0.5])
    rule = Scored(nets, times, 0.1)
    rows = seen(
        [[0, 0, 0], [1, 0, 0], [1, 0, 1], [1, 1, 1]], [[0, 1, 0]] * 3 + [[0] * 3], [0.5] * 4
    )
    wanted = rule.wants(rows)
    for b in range(4):
        open_M, x_F = rows.open_BM[b], rows.inputs()[b]
        own = nets[min(int(rows.bought_BM[b].sum()), 2)]
        h_H = np.maximum(x_F @ own.w1_FH + own.b1_H, 0.0)
        score = {m: (h_H @ own.w2_HO)[m] * times[m] for m in range(3) if open_M[m]}
        best = max(score, key=lambda m: score[m], default=-1)
        expected = [m == best and score[m] > 0.1 for m in range(3)]
        assert wanted[b].tolist() == expected


def test_a_gate_looks_once_and_then_buys_one_of_its_sets(draw: np.random.Generator) -> None:
    sets = np.array([FIRST, FIRST | SECOND, [True, True, True]])
    rule = Gate(net(draw, 3), FIRST, sets)
    start = seen([[0, 0, 0], [0, 0, 0]], [[0, 0, 0], [1, 0, 0]], [0.5, 0.5])
    wanted = rule.wants(start)
    assert wanted[0].tolist() == FIRST.tolist()
    chosen = sets[rule.net(start.inputs()).argmax(1)[1]]
    assert wanted[1].tolist() == (chosen & start.open_BM[1]).tolist()
    after = seen([[1, 1, 0]], [[0, 0, 0]], [0.5])
    assert not rule.wants(after).any()


@pytest.mark.parametrize("kind", [Subset, Cascade, Scored, Gate])
def test_a_plan_comes_back_from_its_bytes(kind: type[Rule], draw: np.random.Generator) -> None:
    rules: dict[type[Rule], Rule] = {
        Subset: Subset(SECOND),
        Cascade: Cascade(np.array([2, 0, 1]), np.array([0.3, np.inf])),
        Scored: Scored((net(draw, 3), net(draw, 3)), np.array([1.0, 0.5, 2.0]), 0.2),
        Gate: Gate(net(draw, 2), FIRST, np.array([FIRST, SECOND])),
    }
    features = Features({"fault": Form("classes", 2), "life": Form("number", 0, 4.0, 2.0, True)})
    costs = {"photo": 2.5, "note": 0.0, "table": 1.0}
    given = (("photo", "note", "table"), ("extra",), costs, "ms", features)
    plan = Plan(*given, rules[kind], "an arm", "0" * 64, {"alpha": 0.02})
    data = plan.to_bytes()
    again = plan_from_bytes(data)
    assert again.to_bytes() == data
    assert (again.inputs, again.always, again.costs, again.unit) == given[:4]
    assert (again.features, again.arm, again.certificate) == (features, "an arm", {"alpha": 0.02})
    bought = draw.random((20, 3)) < 0.5
    rows = Seen(bought, ~bought, draw.random((20, 1)).astype(np.float32))
    assert (again.rule.wants(rows) == plan.rule.wants(rows)).all()
    newer = data.replace(b'\\"form\\": 1', b'\\"form\\": 9')
    with pytest.raises(RunError, match="made by a newer version"):
        plan_from_bytes(newer)


def test_features_are_how_sure_the_least_sure_task_is_and_what_it_says() -> None:
    features = Features(
        {
            "fault": Form("classes", 3),
            "tags": Form("labels", 2),
            "life": Form("number", 0, 10.0, 5.0, True),
        }
    )
    answers = {
        "fault": {"probability": np.array([[0.7, 0.2, 0.1], [1.0, 0.0, 0.0]])},
        "tags": {"probability": np.array([[0.9, 0.2], [0.95, 0.01]])},
        "life": {
            "value": np.array([15.0, 10.0]),
            "quantiles": np.array([[5.0, 15.0], [9.0, 10.0]]),
        },
    }
    x_BF = features.of(answers)
    assert x_BF[:, 0] == pytest.approx([1 / 3, 1 / 1.2])  # widths of 2 and .2 deviations
    assert x_BF[0, 1:3] == pytest.approx([0.7, 0.5])
    assert x_BF[1, 3] == pytest.approx(1.0)  # nothing is left to know
    assert x_BF[0, -2:] == pytest.approx([1 / 3, 1.0])
    many = Form("classes", 40).features({"probability": np.full((2, 40), 1 / 40)})
    assert many.shape == (2, 3 + 12)
