"""What is said of runs: counts, seconds, ranges, reasons."""

from pathlib import Path

import pytest

from modalloy.twin.runs import Outcome
from modalloy.twin.simulated import brief_s, summed_up
from modalloy.twin.twin_file import load_twin

TWIN = load_twin(
    {
        "name": "toy",
        "variables": {"x": {"type": "continuous", "low": 0, "high": 1}},
        "outputs": {
            "mass": {"type": "number", "unit": "kg"},
            "share": {"type": "number", "unit": "1"},
            "grade": {"type": "category", "labels": ["good", "bad"]},
            "note": {"type": "text"},
            "photo": {"type": "image"},
            "sound": {"type": "audio"},
        },
        "simulator": {"type": "python", "use": "math:sqrt"},
    }
)


def outcome(run: int, mass: float) -> Outcome:
    told = {
        "mass": mass,
        "share": 0.5,
        "grade": "good" if mass < 2 else "bad",
        "note": f"run {run}",
    }
    media = {"photo": "p.png", "sound": "s.wav"}
    return Outcome(run, "ok", "", told | media, 0.01 * (run + 1), run, 1)


def test_a_plan_is_summed_up() -> None:
    bad = [Outcome(i, "failed", f"It broke at {i // 2}.", {}, 0.5, i, 2) for i in (3, 4, 5, 6, 7)]
    late = Outcome(8, "timed out", "It took longer than 1 s.", {}, 1.0, 8, 1)
    outcomes = [*(outcome(i, m) for i, m in enumerate((3.0, 1.0, 1.25))), *bad, late]
    rows = [{"run": o.run} for o in outcomes]
    found = summed_up(TWIN, outcomes, rows, Path("rows.parquet"), "mark")
    assert found.counts == {
        "ok": 3, "failed": 5, "timed out": 1, "out of memory": 0, "nonsense": 0,
    }  # fmt: skip
    assert found.run_s == pytest.approx(0.02)
    assert found.reasons[:2] == [("It broke at 2.", 2), ("It broke at 3.", 2)]
    assert found.in_words().splitlines() == [
        "toy: 9 runs: 3 ok, 5 failed, 1 timed out; 20 ms a run.",
        "  mass   1 to 3 kg, 1.25 in the middle",
        "  share  0.5 to 0.5, 0.5 in the middle",
        "  grade  bad 1, good 2",
        "  note   3 different texts, such as 'run 0'",
        "  photo  3 pictures",
        "  sound  3 recordings",
        "2 runs: It broke at 2.",
        "2 runs: It broke at 3.",
        "1 run: It broke at 1.",
        "and 1 more reason, in the rows.",
    ]


def test_runs_that_told_nothing_are_summed_up_too() -> None:
    outcomes = [Outcome(0, "nonsense", "It printed nothing.", {}, 0.1, 0, 2)]
    found = summed_up(TWIN, outcomes, [{"run": 0}], Path("rows.parquet"), "mark")
    assert found.run_s is None
    assert found.in_words().splitlines()[:2] == [
        "toy: 1 run: 1 nonsense.",
        "  mass   told by no run",
    ]


def test_what_the_runs_of_an_active_plan_teach_is_the_last_line() -> None:
    outcomes = [Outcome(0, "failed", "It broke.", {}, 0.1, 0, 1)]
    plain = summed_up(TWIN, outcomes, [{"run": 0}], Path("rows.parquet"), "mark")
    scores = {"mass": {"r2": 0.98765, "rmse": 0.1}, "share": {"r2": None, "rmse": 0.0}}
    known = {"surrogate": "deep ensemble", "rows": 9, "scores": scores}
    assert plain._replace(known=known).in_words().splitlines()[-1] == (
        "Each run foretold from all others by a deep ensemble, R2: mass 0.988, share -."
    )
    nothing = {"surrogate": None, "rows": 0, "scores": {}}
    assert plain._replace(known=nothing).in_words().splitlines()[-1] == (
        "Too few runs were ok to learn from, so that all of them are spread by Sobol."
    )


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.00052, "0.52 ms"), (0.25, "250 ms"), (1.0, "1 s"), (12.34, "12.3 s")]
)
def test_seconds_are_brief(seconds: float, said: str) -> None:
    assert brief_s(seconds) == said
