"""What guards a compression: its figures by hand, and what a contract makes of them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from modalloy.answer.agreement.agreement import Compared
from modalloy.answer.golden_rows import verdict
from modalloy.deploy.candidates import Candidate
from modalloy.deploy.choice import dominates, pareto, ranked, slower
from modalloy.deploy.contract import Contract
from modalloy.deploy.guard import Judged, lost_points, neighbours_kept
from modalloy.deploy.one_changed import far_outside
from modalloy.deploy.tried import Speed, Tried
from modalloy.deploy.worst_slice import Slice
from modalloy.errors import JobError
from modalloy.judge.compared import Pair
from modalloy.machine.bursts import Ratio


def judged(share: float = 1.0, lost: tuple[float, float] = (0.0, 0.0), **more: Any) -> Judged:
    """What a guard of 200 rows says."""
    same_B = np.arange(200) >= round(200 * (1 - share))
    alike = verdict(Compared(same_B, np.where(same_B, 0.0, 0.004)), 0.01)
    given: dict[str, Any] = {"worst": None, "kept": 1.0} | more
    return Judged(200, {}, {"fault": lost}, {"fault": alike}, **given)


def test_points_of_a_share_and_of_an_error() -> None:
    share = Pair(0.90, 0.88, (-0.04, 0.01))
    assert lost_points("accuracy", share, greater=True) == pytest.approx((2.0, 4.0))
    error = Pair(2.0, 2.1, (-0.02, 0.3))
    assert lost_points("rmse", error, greater=False) == pytest.approx((5.0, 15.0))
    assert lost_points("accuracy", Pair(0.9, 0.9), greater=True) == (0.0, 0.0)


def test_neighbours_kept_is_what_a_slow_search_says() -> None:
    draw = np.random.default_rng(0)
    before = draw.normal(size=(60, 8)).astype(np.float32)
    after = before + 0.4 * draw.normal(size=before.shape).astype(np.float32)

    def nearest(x: np.ndarray, i: int) -> set[int]:
        unit = x / np.linalg.norm(x, axis=1, keepdims=True)
        order = sorted((j for j in range(len(x)) if j != i), key=lambda j: -unit[i] @ unit[j])
        return set(order[:10])

    slow = np.mean([len(nearest(before, i) & nearest(after, i)) / 10 for i in range(60)])
    assert neighbours_kept(before, after) == pytest.approx(slow, abs=1e-6)
    assert neighbours_kept(before, 3.0 * before) == 1.0
    assert neighbours_kept(before[:20], after[:20]) is None


def test_exact_keeps_decisions_and_nothing_else_counts() -> None:
    exact = Contract("exact", 0.5)
    assert exact.reasons(judged(0.995, (9.0, 9.0))) == []
    [why] = exact.reasons(judged(0.99))
    assert "99.00 % of decisions are the same, 99.5 % are promised" in why


def test_a_loss_counts_at_the_worse_end_of_its_interval() -> None:
    half = Contract("latency", 0.5)
    assert half.reasons(judged(0.9, (0.1, 0.5))) == []
    [why] = half.reasons(judged(0.9, (0.1, 0.6)))
    assert why == "fault: 0.10 points lost, and 0.60 cannot be ruled out on 200 rows (0.5 allowed)"
    assert Contract("latency", 1.0).reasons(judged(0.9, (0.1, 0.6))) == []


def test_a_part_of_the_rows_that_surely_loses_is_a_reason() -> None:
    half = Contract("size", 0.5)
    unsure = Slice("site north", "fault", 30, 20.0, 0.0)
    assert half.reasons(judged(worst=unsure)) == []
    [why] = half.reasons(judged(worst=unsure._replace(surely=7.0)))
    assert "rows with site north lose 20.0 points" in why


def test_search_and_finite_answers_are_reasons() -> None:
    half = Contract("latency", 0.5)
    assert "nearest neighbours" in half.reasons(judged(kept=0.5))[0]
    assert "no finite answer" in half.reasons(replace(judged(), finite=False))[0]


@pytest.mark.parametrize(("profile", "loss"), [("quick", 0.5), ("latency", 50.0)])
def test_contracts_that_there_are_none_of(profile: Any, loss: float) -> None:
    with pytest.raises(JobError):
        Contract(profile, loss).check()


def test_numbers_far_outside_are_far_outside_and_the_rest_stays() -> None:
    values = {"x": np.ones((2, 3), np.float32), "ids": np.arange(4), "mask": np.ones(2, bool)}
    ways = far_outside(values, 0)
    assert len(ways) == 3
    for way in ways:
        assert np.abs(way["x"]).max() > 50
        assert way["x"].dtype == np.float32
        assert (way["ids"] == values["ids"]).all()
        assert way["mask"].all()


def candidate(
    label: str, one: float, many: float, mb: float, share: float = 1.0, precision: Any = "f16"
) -> Tried:
    """A candidate that passed, so many times as fast."""
    pair = [Ratio(x, x, x) for x in (one, many)]
    speed = Speed(*pair, 1.0, 1.0, 1.0, 1.0)
    files = (bytes(int(1e6 * mb)),)
    kind = Candidate("openvino", precision)
    return Tried("note", label, "passed", "", files, speed, judged(share), candidate=kind)


FOUND = [
    candidate("a", 2.0, 1.5, 0.08),
    candidate("b", 1.8, 1.9, 0.08),
    candidate("c", 1.7, 1.4, 0.08),  # a is better in everything
    candidate("d", 1.1, 1.2, 0.02, 0.99),
]


def test_the_front_leaves_out_what_is_beaten_in_everything() -> None:
    assert [t.label for t in pareto(FOUND)] == ["a", "b", "d"]
    assert dominates((2, 1), (1, 1))
    assert not dominates((1, 1), (1, 1))


@pytest.mark.parametrize(
    ("profile", "best"), [("latency", "a"), ("exact", "a"), ("throughput", "b"), ("size", "d")]
)
def test_each_profile_takes_its_own(profile: Any, best: str) -> None:
    assert ranked(FOUND, profile)[0].label == best
    assert len(ranked(FOUND, profile)) == 4  # what is beaten is there to fall back on
    refused = [t.now("refused") if t.label == best else t for t in FOUND]
    assert ranked(refused, profile)[0].label != best


def test_size_counts_what_travels_along_for_other_machines() -> None:
    plain = candidate("f32", 1.5, 1.5, 0.08, precision="f32")
    half, eight = (
        candidate("f16", 1.5, 1.5, 0.04),
        candidate("int8", 2.0, 2.0, 0.02, precision="int8"),
    )
    assert ranked([plain, half, eight], "size")[0].label == "f16"
    assert ranked([plain, half, eight], "latency")[0].label == "int8"


def test_where_a_candidate_has_to_be_faster() -> None:
    late = candidate("e", 1.2, 0.8, 0.1)
    assert slower(late, "latency") == ""
    assert slower(late, "throughput") == "x0.80 of the reference's speed with 16 rows"
    assert slower(late, "size") == slower(late, "exact") == slower(late, "throughput")
