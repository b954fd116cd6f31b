"""Realised costs beside the simple policies, against counting by hand; and as the page has them."""

import numpy as np
import pytest

from modalloy.job import config
from modalloy.job.costs import Costs, costs_of
from modalloy.judge.decided import realised
from modalloy.judge.report import Report
from modalloy.report.page import page


def costs() -> Costs:
    """A miss costs ten false alarms."""
    said = config.Decide(costs={"miss": 10, "false_alarm": 1, "ask": 0.5}, positive="fault")
    found = costs_of("crack", config.Decide.model_validate(said), ("fault", "fine"), (1, 9))
    assert found is not None
    return found


def test_costs_are_those_counted_by_hand() -> None:
    p = np.array([0.9, 0.2, 0.01, 0.01, 0.6])
    truth = [
        "fault",
        "fine",
        "fault",
        "fine",
        "fine",
    ]
    found = realised(costs(), np.stack([p, 1 - p], 1), [*truth])
    cost = {name: policy["cost"] for name, policy in found["policies"].items()}
    assert cost["as decided"] == pytest.approx((0 + 0.5 + 10 + 0 + 1) / 5)
    assert cost["the most probable class"] == pytest.approx((0 + 0 + 10 + 0 + 1) / 5)
    assert cost["accept all"] == pytest.approx(20 / 5)
    assert cost["reject all"] == pytest.approx(3 / 5)
    assert cost["ask always"] == pytest.approx(0.5)
    assert found["shares"] == pytest.approx({"accept": 0.4, "reject": 0.4, "ask": 0.2})
    assert found["threshold"] == pytest.approx(1 / 11)
    at = found["curve"]["threshold"].index(0.5)
    assert found["curve"]["cost"][at] == pytest.approx(cost["the most probable class"])


def test_unknown_truth_is_left_out_and_intervals_hold_the_figures(
    draw: np.random.Generator,
) -> None:
    p = draw.uniform(size=300)
    truth = ["fault" if q < r else "fine" for q, r in zip(draw.uniform(size=300), p, strict=True)]
    answers = np.stack([p, 1 - p], 1)
    found = realised(costs(), np.concatenate([answers, answers[:2]]), [*truth, None, "melted"])
    assert found["rows"] == 300
    for policy in found["policies"].values():
        low, high = policy["interval"]["cost"]
        assert low <= policy["cost"] <= high
    cost = {name: policy["cost"] for name, policy in found["policies"].items()}
    assert cost["as decided"] == min(cost.values())  # the probabilities are true
    low, high = found["policies"]["accept all"]["saves"]["interval"]
    assert 0 < low < found["policies"]["accept all"]["saves"]["value"] < high
    assert realised(costs(), answers[:1], [None]) == {}


def test_the_page_shows_policies_and_the_chosen_threshold() -> None:
    p = np.array([0.9, 0.2, 0.01, 0.01, 0.6])
    truth = ["fault", "fine", "fault", "fine", "fine"]
    found = realised(costs(), np.stack([p, 1 - p], 1), truth)
    report = Report(tasks={"crack": {"accuracy": 0.6}}, decided={"crack": found})
    html = page(report)
    assert "What its decisions cost" in html
    assert "reject all" in html
    assert "accept from 0.000 to 0.050, ask from 0.050 to 0.500, reject from 0.500 to 1.000" in html
