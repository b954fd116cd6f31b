"""What guards a compression: its figures by hand, and what a contract makes of them."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from modalloy.answer.agreement.agreement import Compared
from modalloy.answer.golden_rows import verdict
from modalloy.deploy.candidates import Candidate
from modalloy.deploy.choice import dominates, pareto, ranked, slower
from modalloy.deploy.contract import MOST_GUARDED, Contract
from modalloy.deploy.few_rows import Few, enough, upper
from modalloy.deploy.guard import Judged, lost_points, neighbours_kept, with_bound
from modalloy.deploy.one_changed import far_outside
from modalloy.deploy.tried import Speed, Tried
from modalloy.deploy.whole_speed import Whole, fullest
from modalloy.deploy.worst_slice import Slice, worst_slice
from modalloy.errors import JobError
from modalloy.job import config
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
    assert lost_points("accuracy", Pair(None, 0.9), greater=True) is None


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


def test_few_rows_are_said_with_how_many_would_be_enough() -> None:
    few = {"fault": Few(5, upper(5), 0.2, rests=False)}
    at_most = with_bound("accuracy", (0.0, 0.0), 5)
    half = Contract("latency", 0.5)
    [why] = half.reasons(replace(judged(lost=at_most), few=few))
    assert why == (
        "fault: 0.00 points lost, and 45.07 cannot be ruled out on 5 rows (0.5 allowed); 598 "
        "labelled rows to guard by would be enough, if none of them is lost"
    )
    assert half.too_few(replace(judged(), few=few))
    rests = {"fault": few["fault"]._replace(rests=True)}
    assert half.reasons(replace(judged(), few=rests)) == []
    assert not half.too_few(replace(judged(), few=rests))
    many = {"fault": Few(600, upper(600), 0.2, rests=False)}
    assert not half.too_few(replace(judged(), few=many))
    assert half.reasons(replace(judged(lost=with_bound("accuracy", (0, 0), 600)), few=many)) == []


@pytest.mark.parametrize("profile", ["exact", "latency"])
def test_decisions_of_few_rows_say_little(profile: Any) -> None:
    few = {"fault": Few(90, upper(90), 0.2, rests=False)}
    alone = replace(judged(), few=few, losses={})
    [why] = Contract(profile, 0.5).reasons(alone)
    assert "on 90 rows it cannot be ruled out that 3.27 % change; 598 labelled rows" in why
    rests = {"fault": few["fault"]._replace(rests=True)}
    assert Contract(profile, 0.5).reasons(replace(alone, few=rests)) == []


def test_as_many_rows_are_judged_as_the_loss_needs() -> None:
    assert Contract("latency", 0.5).rows() == 2000
    assert Contract("latency", 0.1).rows() == 2 * enough(0.001) == 5990
    assert Contract("latency", 0.0).rows() == MOST_GUARDED
    few = {"fault": Few(9000, upper(9000), 0.2, rests=False)}
    lost = replace(judged(lost=(0.0, 0.03)), few=few)
    assert "no number of rows rules out" in Contract("latency", 0.0).reasons(lost)[0]
    assert "29956 rows, and no more than 20000" in Contract("latency", 0.01).reasons(lost)[0]


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


def test_a_part_that_surely_loses_is_a_reason_in_every_profile() -> None:
    exact = Contract("exact", 0.5)
    part = Slice("site north", "fault", 30, 20.0, 7.0)
    [why] = exact.reasons(judged(worst=part))
    assert "rows with site north lose 20.0 points" in why


def test_a_part_of_the_rows_that_surely_loses_is_a_reason() -> None:
    half = Contract("size", 0.5)
    unsure = Slice("site north", "fault", 30, 20.0, 0.0)
    assert half.reasons(judged(worst=unsure)) == []
    [why] = half.reasons(judged(worst=unsure._replace(surely=7.0)))
    assert "rows with site north lose 20.0 points" in why


def named(names: list[str], p_N: list[int]) -> dict[str, np.ndarray]:
    """Sure answers of these classes."""
    return {"probability": np.eye(len(names), dtype=np.float32)[p_N]}


def test_a_small_part_does_not_hide_a_large_one_that_surely_loses() -> None:
    names, rows = ["good", "bad"], 820
    truth = {"fault": ["good"] * rows}
    before = np.zeros(rows, int)
    before[801] = 1
    after = np.zeros(rows, int)
    after[:46] = 1  # 5.75 points of 800 rows
    after[[803, 805, 807]] = 1  # 10 points of 20 rows, of which one gained
    slices = {"line large": np.arange(800), "line small": np.arange(800, rows)}
    run: Any = SimpleNamespace(
        job=SimpleNamespace(tasks={"fault": config.Classify(target="fault_code")}),
        targets={"fault": SimpleNamespace(names=names)},
    )
    pair = [{"fault": named(names, list(x))} for x in (before, after)]
    found = worst_slice(run, truth, *pair, slices, 0.5)
    assert found is not None
    assert (found.name, found.rows) == ("line large", 800)
    assert found.lost == pytest.approx(5.75)
    assert 3.0 < found.surely < 5.75
    alone = worst_slice(run, truth, *pair, {"line small": slices["line small"]}, 0.5)
    assert alone is not None
    assert alone.lost == pytest.approx(10.0)
    assert alone.surely <= 0.5


def test_a_task_without_a_figure_keeps_its_decisions() -> None:
    half = Contract("latency", 0.5)
    assert half.reasons(judged(0.9)) == []
    [why] = half.reasons(replace(judged(0.9), losses={}))
    assert "90.00 % of decisions are the same, 99.5 % must be, for want of a figure" in why
    assert half.reasons(replace(judged(1.0), losses={})) == []


def test_rows_unlike_training_stay_so() -> None:
    half, exact = Contract("latency", 0.5), Contract("exact", 0.5)

    def flags(share: float, margin: float) -> Judged:
        same_B = np.arange(1000) >= round(1000 * (1 - share))
        found = Compared(same_B, np.where(same_B, 0.0, margin))
        return replace(judged(), unlike=verdict(found, 0.01))

    assert half.reasons(flags(0.99, 3.0)) == []
    [why] = half.reasons(flags(0.9, 3.0))
    assert why.startswith("90.00 % of rows are called unlike those of training, or not")
    assert exact.reasons(flags(0.996, 0.001)) == []
    assert exact.reasons(flags(0.996, 3.0)) != []
    assert exact.reasons(flags(0.99, 0.001)) != []


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


def test_what_may_be_slower_is_not_faster() -> None:
    speed = candidate("f", 1.1, 1.1, 0.1).speed
    assert speed is not None
    unsure = replace(candidate("f", 1.1, 1.1, 0.1), speed=replace(speed, one=Ratio(1.1, 0.97, 1.2)))
    assert slower(unsure, "latency").endswith("with one row, where x0.97 cannot be ruled out")
    assert slower(unsure, "throughput") == ""


def test_the_row_that_is_timed_has_most_inputs() -> None:
    photo, note = np.array([False, False, True, True]), np.array([False, True, False, True])
    assert fullest(["photo", "note"], {"photo": photo, "note": note}) == (3, ())
    some = {"photo": photo[:3], "note": note[:3]}
    assert fullest(["photo", "note"], some) == (1, ("photo",))
    assert fullest([], {}) == (0, ())


def test_the_page_says_where_the_whole_is_not_faster() -> None:
    ratio = Ratio(0.8, 0.7, 0.9), Ratio(2.0, 1.9, 2.1)
    speed = Whole(1.0, (1.0, 1.25), (2.0, 1.0), (1.0, 1.0), *ratio, lacking=("photo",))
    lacks, slow = speed.said()
    assert lacks.startswith("The one row that was timed has no photo")
    assert slow == "With one row the bundle is not faster than the run: x0.80 (x0.70 to x0.90)"
