"""Runs that no graph can hold are refused, each part of them named with what to do."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conftest import COLUMNS, make_job
from modalloy.deploy.exportable import refuse_unexportable
from modalloy.errors import RunError
from modalloy.job.job_file import load_job
from modalloy.runs.run import PRETRAINED, Run


def run_of(table: Path, **changes: Any) -> Run:
    """A run of a job, as far as a job says what it is."""
    job = load_job(make_job(table, columns=("load", "sound")) | changes)
    return Run(Path("run"), job, {}, {}, {}, {})


def test_usual_runs_can_become_graphs(small_table: Path) -> None:
    refuse_unexportable(run_of(small_table))


def test_every_part_in_the_way_is_named(small_table: Path) -> None:
    columns = {
        "load": COLUMNS["load"],
        "said": {"type": "text", "from_audio": "sound"},
    }
    tasks = {
        "cause": {"type": "generate", "target": "note"},
        "own": {"type": "custom", "target": "fault_code", "use": "modalloy.tasks.kit:CLASSIFY"},
        "fault": {"type": "classify", "target": "fault_code"},
    }
    run = run_of(small_table, columns=columns, tasks=tasks)
    with pytest.raises(RunError) as caught:
        refuse_unexportable(run)
    said = str(caught.value)
    assert said.startswith("run: cannot be exported as graphs: column 'said' is heard from")
    assert "task 'cause' writes a text piece by piece (type: generate)" in said
    assert "task 'own' is of your own kind" in said
    assert "'fault'" not in said
    assert said.endswith(
        "--backend torch keeps the network itself, which answers where torch is installed."
    )


def test_pretrained_runs_answer_nothing(small_table: Path) -> None:
    with pytest.raises(RunError, match="was pretrained without labels"):
        refuse_unexportable(replace(run_of(small_table), kind=PRETRAINED))
