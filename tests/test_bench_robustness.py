"""The bench of hardening says what its goals came to, and its jobs are whole."""

from dataclasses import replace
from pathlib import Path

import pytest
from bench.robustness.__main__ import lines_of
from bench.robustness.jobs import JOBS, job_of
from bench.robustness.measure import Measured

from modalloy.judge.compared import Compared, Pair

COMPARED = Compared(
    "harden",
    100,
    "test rows",
    {
        "fault, clean": {"accuracy": Pair(0.95, 0.94, (-0.02, 0.0))},
        "fault, worst of all attacks": {"accuracy": Pair(0.3, 0.7, (0.3, 0.5))},
    },
    costs={"Seconds of training, of hardening": Pair(10.0, 31.0)},
)


def test_lines_say_which_goals_were_reached() -> None:
    told = {"after": {"tasks": {"fault": {"robust": True}}}}
    columns = {"photo": (0.6, 0.8), "load": (0.9, 0.7)}
    found = lines_of("elpv", Measured(COMPARED, told, columns, 50.0), "python -m bench.robustness")
    worst, clean, times, column, word = found
    assert (worst.value, worst.goal, worst.reached) == (0.7, ">= 0.600, surely more", True)
    assert worst.interval == pytest.approx((0.6, 0.8))
    assert (round(clean.value or 0, 6), clean.reached) == (1.0, True)
    assert (times.value, times.reached) == (3.1, False)
    assert (column.value, column.anchor, column.reached) == (
        0.6,
        "0.800 trained without photo",
        False,
    )
    assert word.reached
    assert all(line.seconds == 50.0 for line in found)


def test_twice_nothing_is_no_goal() -> None:
    told = {"after": {"tasks": {"fault": {"robust": False}}}}
    tasks = COMPARED.tasks | {
        "fault, worst of all attacks": {"accuracy": Pair(0.0, 0.02, (0.0, 0.05))}
    }
    found = Measured(replace(COMPARED, tasks=tasks), told, {"photo": (0.6, 0.8)}, 50.0)
    assert lines_of("elpv", found, "")[0].reached is False


@pytest.mark.parametrize("name", list(JOBS))
def test_every_job_is_valid_with_and_without_each_column(name: str) -> None:
    job = job_of(name, Path("/data"), effort="full")
    assert job.harden.effort == "full"
    for column in job.columns:
        less = job_of(name, Path("/data"), without=column)
        assert column not in less.columns
