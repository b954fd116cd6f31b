"""Costs that cannot be meant get one sentence where they are written; good ones survive a file."""

from pathlib import Path

import pytest

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.job.job_file import load_job, save_job

JOB = """\
table: parts.parquet
split: {random: stratified}
columns:
  load: {type: number}
tasks:
  fault: {type: classify, target: code, decide: {DECIDE}}
"""
AT = "tasks.fault.decide"
GOOD = (
    "costs: {miss: 10, false_alarm: 1, ask: 0.5}, positive: crack",
    "costs: {miss: 10, false_alarm: 1}, ask: 0.5",
    "costs: [[0, 10, 1], [1, 0, 2], [3, 3, 0]]",
    "costs: {a: {b: 1}, b: {a: 2, b: 0}, ask: 0.1}",
)
BAD = (
    ("costs: {miss: 10, false_alarms: 1}", f"{AT}.costs", "Did you mean 'false_alarm'?"),
    ("costs: {miss: 10}", f"{AT}.costs", "must hold false_alarm, too"),
    ("costs: {}", f"{AT}.costs", "must hold a cost for each class"),
    ("costs: {miss: -1, false_alarm: 1}", f"{AT}.costs", "at least 0. Got -1 for miss."),
    ("costs: {miss: 0, false_alarm: 0}", f"{AT}.costs", "are all 0"),
    ("costs: {miss: 1, false_alarm: 1, ask: -1}", f"{AT}.ask", "at least 0. Got -1."),
    ("costs: {miss: 1, false_alarm: 1, ask: 1}, ask: 1", f"{AT}.ask", "is said twice"),
    ("costs: [[0, 1], [1, 0]], positive: a", f"{AT}.positive", "is for costs of miss"),
    ("costs: [[0, 1], [1]]", f"{AT}.costs", "as many columns as rows"),
    ("costs: [[0, 1]]", f"{AT}.costs", "Got 1 rows of 2 costs."),
    ("costs: [[0, 1], [-2, 0]]", f"{AT}.costs", "Got -2 for row 1, column 0."),
    ("costs: {a: {b: 1}, b: {c: 2}}", f"{AT}.costs", "'b' has a cost of 'c', which has no"),
    ("costs: {a: {b: 1}, b: {b: 0}}", f"{AT}.costs", "no cost of answering 'a' to 'b'."),
    ("costs: {a: {b: 1}, b: {a: -3}}", f"{AT}.costs", "Got -3 for b: a."),
    ("costs: {a: {b: 1}, b: 2}", f"{AT}.costs", "a cost for each class"),
    ("costs: {miss: ten, false_alarm: 1}", f"{AT}.costs", "must be"),
    ("cost: {miss: 10}", f"{AT}.cost", "Did you mean 'costs'?"),
)


def written(decide: str, folder: Path, **changes: str) -> Path:
    """A job file with this group `decide`."""
    text = JOB.replace("DECIDE", decide)
    for old, new in changes.items():
        text = text.replace(old, new)
    path = folder / "job.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("decide", GOOD)
def test_costs_survive_a_file(decide: str, tmp_path: Path) -> None:
    job = load_job(written(decide, tmp_path))
    save_job(job, tmp_path / "again.yaml")
    again = load_job(tmp_path / "again.yaml")
    task = again.tasks["fault"]
    assert again.tasks == job.tasks
    assert isinstance(task, config.Classify)
    assert task.decide is not None


@pytest.mark.parametrize(("decide", "path", "words"), BAD)
def test_costs_that_cannot_be_meant(decide: str, path: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(JobError) as caught:
        load_job(written(decide, tmp_path))
    faults = [f for f in str(caught.value).splitlines() if f"job.yaml:6: {path}: " in f]
    assert len(faults) == 1, str(caught.value)
    assert words in faults[0]


def test_several_labels_have_no_decision(tmp_path: Path) -> None:
    path = written(GOOD[0], tmp_path, code="code, labels: multi")
    with pytest.raises(JobError, match="is for one class a row; this task has labels: multi"):
        load_job(path)
