"""What a search found, in sentences: the best, the promise, the plan, failures, bad news."""

import math
from pathlib import Path

import pytest

from modalloy.designing.page import in_words, runs_of
from modalloy.designing.summary import Bound, Point, Sought, Summary, summary_of
from modalloy.designing.words import amount, edge, interval, percent, say_all, say_gain, say_short
from searches import CONSTRAINTS, Search

IMPOSSIBLE = (
    {**CONSTRAINTS[0], "high": 0.2, "text": "deflection <= 0.2 mm"},
    {**CONSTRAINTS[1], "low": 500.0, "text": "f1 >= 500 Hz"},
)


def test_the_answer_in_words(tmp_path: Path) -> None:
    search = Search(tmp_path, final=60, fails=0.02).plan().round().accept()
    told = search.records.last("accept").facts
    best = min(told["accepted"], key=lambda one: one["outputs"]["mass"])
    planned = told["best_of_plan"]
    said = in_words(tmp_path, search.records).splitlines()
    assert said[0] == (
        "Asked of beam: minimise mass such that deflection <= 0.6 mm and f1 >= 200 Hz; 110 runs in "
        "all."
    )
    assert said[1].startswith("1 proposed design lies where the surrogate has learned from no rows")
    outputs = best["outputs"]
    assert said[2] == (
        f"Best design, run {best['run']}: mass {outputs['mass']:.2f} kg, deflection "
        f"{outputs['deflection']:.3f} mm, f1 {outputs['f1']:.0f} Hz."
    )
    less = planned["outputs"]["mass"] - outputs["mass"]
    part = 100 * less / planned["outputs"]["mass"]
    assert said[3] == (
        f"Its mass is {less:.3f} kg ({part:.1f} %) less than that of the best of the 40 planned "
        f"designs ({planned['outputs']['mass']:.2f} kg, run {planned['run']})."
    )
    bad = [r for r in search.seen[50:] if not r["kept"]]
    silent = sum(r["status"] != "ok" for r in bad)
    assert said[4].startswith(
        f"{told['feasible']} of 60 proposed designs keep everything that was asked, verified by a "
        "run of each; at least 95 % were promised. That is "
    )
    assert len(bad) == silent == 60 - told["feasible"]
    assert said[4].endswith(f"certainty for designs like these; {silent} told nothing.")
    bad = sum(r["status"] != "ok" for r in search.seen)
    assert said[5] == f"{bad} of 110 runs told nothing ({bad} failed)."
    assert len(said) == 6


def test_nothing_found_is_said_first_with_what_comes_nearest(tmp_path: Path) -> None:
    search = Search(tmp_path, constraints=IMPOSSIBLE).plan().round().accept()
    rows = runs_of(tmp_path)
    found = summary_of(search.records, rows)
    said = say_all(found, search.records)
    nearest = found.nearest()
    assert said[1].startswith(
        "No design that keeps everything that was asked was found in 70 runs. Run "
        f"{nearest.run} comes nearest: "
    )
    off = 500.0 - nearest.outputs["f1"]
    assert f"which is {amount(off, 'Hz')} off (f1 >= 500 Hz)" in said[1]
    assert "None of the 40 planned designs keeps everything that was asked." in said
    assert in_words(tmp_path, search.records).splitlines() == said  # as the page has it


def test_without_its_runs_the_nearest_is_said_to_be_of_the_proposals(tmp_path: Path) -> None:
    search = Search(tmp_path, constraints=IMPOSSIBLE, rows=False).plan().round().accept()
    assert "Of the proposals run" in in_words(tmp_path, search.records)


@pytest.mark.parametrize(("needed", "objectives"), [(60, ("mass",)), (60, ()), (9, ("mass",))])
def test_a_margin_that_rests_on_few_certified_designs_is_told(
    needed: int, objectives: tuple[str, ...], tmp_path: Path
) -> None:
    search = Search(tmp_path, needed=needed, objectives=objectives, fails=0.0)
    search.plan().round().accept()
    lines = in_words(tmp_path, search.records).splitlines()
    told = [line for line in lines if "verified before the last ones" in line]
    assert len(told) == (needed > 9)
    for line in told:
        assert line.startswith("Of 10 proposals verified before the last ones 9 were certified, as")
        assert f"a promise of 95 % needs {needed} such. The margin comes from others" in line
        assert ("A larger budget mends that." in line) == bool(objectives)


def test_without_a_certified_design_nothing_was_promised(tmp_path: Path) -> None:
    search = Search(tmp_path, needed=19, certain=False).plan().accept(offset=0.06)
    said = in_words(tmp_path, search.records)
    assert "none of them was certified, so that nothing was promised. That is" in said
    assert "verified before the last ones" not in said
    assert "were promised" not in said


def test_proposals_that_fail_though_earlier_runs_do_not(tmp_path: Path) -> None:
    search = Search(tmp_path).plan().round().accept(offset=0.4)
    said = in_words(tmp_path, search.records)
    assert "None of the designs proposed in the end keeps everything that was asked; run " in said
    assert ", made before, did in its one run." in said
    assert "\nBest design, run " in said


def test_proposals_that_keep_everything_by_luck_are_not_accepted(tmp_path: Path) -> None:
    search = Search(tmp_path, trusted=False).plan().accept()
    assert search.records.last("accept").facts["feasible"] > 0
    said = in_words(tmp_path, search.records)
    assert "No design is accepted: the proposals that keep everything were not certified" in said
    assert "Best of all runs, not accepted, run " in said


def test_a_search_that_has_nothing_to_propose_in_the_end(tmp_path: Path) -> None:
    said = in_words(tmp_path, Search(tmp_path, final=0).plan().round().accept().records)
    assert "No design could be proposed in the end; run " in said
    assert "promised" not in said


def shown(share: float, count: int) -> Summary:
    plan = {"asked": {"confidence": 0.95}}
    end = {"verified": share, "proposed": count, "feasible": round(share * count)}
    proposed = (Point(9, "final", {}, {"load": 1.0}, True),)
    limit = (Bound("load", -math.inf, 10.0, "N", "load <= 10 N"),)
    return Summary(plan, (), limit, (), True, None, 0, (), proposed, (), end, {})


@pytest.mark.parametrize(
    ("share", "count", "said"),
    [(0.95, 60, ""), (0.9, 20, "that may be chance"), (0.5, 60, "do not rely on the promise")],
)
def test_less_than_promised_is_said_as_surely_as_it_is_known(
    share: float, count: int, said: str
) -> None:
    assert said in say_short(shown(share, count))
    assert bool(say_short(shown(share, count))) == bool(said)


def test_the_interval_is_wilsons() -> None:
    """57 of 60: 86.3 to 98.3 % (Wilson 1927)."""
    low, high = interval(shown(0.95, 60))
    assert (low, high) == pytest.approx((0.8630, 0.9829), abs=1e-4)


def test_designs_without_a_simulator_are_to_be_made(tmp_path: Path) -> None:
    said = in_words(tmp_path, Search(tmp_path, simulated=False).plan().accept().records)
    assert "20 designs are proposed. None has been run: make and measure them" in said
    assert "It is the best of the 40 planned designs; no proposal that was run is better." in said


def test_a_search_that_goes_on_says_so(tmp_path: Path) -> None:
    said = in_words(tmp_path, Search(tmp_path).plan().round().records)
    assert "The search has not ended" in said
    assert "promised" not in said


def test_without_limits_nothing_is_promised(tmp_path: Path) -> None:
    said = in_words(tmp_path, Search(tmp_path, constraints=()).plan().accept().records)
    assert "nothing but a run without fault was asked" in said
    assert "It is the best of the 40 planned designs; no proposal that was run is better." in said


def test_a_design_that_is_as_good_as_one_of_the_plan_is_no_better() -> None:
    old, new = (Point(run, "final", {}, {"mass": 2.0}, True) for run in (3, 9))
    told = ((Sought("mass", True, "kg"),), (), (), True, old, 1, (new,), (new,), (new,))
    found = Summary({"runs": 8}, *told, {"runs": 9}, {})
    assert (
        say_gain(found)
        == "It is no better than the best of the 8 planned designs (2.00 kg, run 3)."
    )


def test_amounts() -> None:
    assert amount(0.69412, "kg") == "0.694 kg"
    assert amount(3, None) == "3"
    assert amount(2.5, "1") == "2.50"
    assert amount("steel", None) == "steel"
    assert amount(None, "kg") == amount(float("nan"), "kg") == "–"
    assert (edge(10.0, "mm"), edge("steel"), edge(-0.25)) == ("10 mm", "steel", "−0.25")
    assert (percent(0.95), percent(0.967)) == ("95 %", "96.7 %")
