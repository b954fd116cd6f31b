"""A whole search: trials by validation rows alone, the best job as a file and a run, its page."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import modalloy as ma
from conftest import make_job, write_table
from modalloy.errors import JobError, RunError
from modalloy.job.job_file import load_job
from modalloy.judge.report import Report
from modalloy.machine import imports
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job
from modalloy.tuning import tune_run
from modalloy.tuning.tried import COSTS, Tried, best_of, frontier
from modalloy.tuning.tune_run import Tuned, limit_minutes

OWN = {"train.lr": [1e-3, 1e-2, "log"], "fuse.width": [8, 32], "columns.load.bins": [2, 6]}


def small_job(table: Path, **changes: Any) -> dict[str, Any]:
    """A job of two plain columns that learns in a moment."""
    settings: dict[str, Any] = {
        "train": {"epochs": 1, "batch": 16, "precision": "float32"},
        "tune": OWN,
        "tasks": {"fault": {"type": "classify", "target": "fault_code"}},
    }
    return make_job(table, columns=("load", "site"), **settings | changes)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small table, for all tests of this module."""
    return write_table(tmp_path_factory.mktemp("table"))


@pytest.fixture(scope="module")
def study(table: Path, tmp_path_factory: pytest.TempPathFactory, no_lines: None) -> Tuned:
    """A search of four trials."""
    out = tmp_path_factory.mktemp("search") / "study"
    return ma.tune(small_job(table), out=out, trials=4, quiet=True)


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Searches without a training of the best job, and answers the trials."""
    monkeypatch.setattr(tune_run, "conclude", lambda *given, **_: given[3])
    return lambda job, out, **asked: ma.tune(job, out=out, quiet=True, **asked)


def test_it_ends_with_the_best_job_its_run_and_a_page(study: Tuned, table: Path) -> None:
    assert [t.number for t in study.trials] == [0, 1, 2, 3]
    assert study.best.score == max(t.score for t in study.trials if t.score is not None)
    first = study.trials[0]
    assert first.default
    assert first.changed == {"fuse.width": 16, "train.lr": 1e-3, "columns.load.bins": 4}
    assert len({json.dumps(t.changed) for t in study.trials}) == 4
    for trial in study.trials:
        assert 1e-3 <= trial.changed["train.lr"] <= 1e-2
        assert trial.changed["fuse.width"] in (8, 16, 24, 32)
    best = load_job(study.path / "best.yaml")
    assert best.fuse.width == study.best.changed["fuse.width"]
    assert best.train.lr == study.best.changed["train.lr"]
    assert best.tune == {}
    assert study.run.path == study.path / "best"
    assert Report.load(study.run.path / "report.json").tasks["fault"]["accuracy"] >= 0.0
    assert len(ma.predict(study.run, table, quiet=True)) == 80
    told = json.loads((study.path / "tune.json").read_text())
    assert [t["score"] for t in told["trials"]] == [t.score for t in study.trials]
    assert told["best"] == study.best.number
    assert sum(told["importance"].values()) == pytest.approx(1.0) or not told["importance"]
    page = (study.path / "tune.html").read_text()
    for said in ("History", "What mattered", "What accuracy costs", f"{study.best.score:.4f}"):
        assert said in page
    assert "best: trial" in study.text()


def test_the_score_of_trial_0_is_that_of_an_ordinary_training(
    study: Tuned, table: Path, tmp_path: Path
) -> None:
    run = ma.train(small_job(table), out=tmp_path / "run", quiet=True)
    assert study.trials[0].score == run.notes["curves"][-1]["score"]


def test_a_study_is_gone_on_with_only_when_asked_and_never_by_another_job(
    study: Tuned, table: Path, tmp_path: Path, searched: Any
) -> None:
    with pytest.raises(RunError, match="holds a study; go on with --resume"):
        searched(small_job(table), study.path, trials=5)
    other = small_job(table, seed=1)
    with pytest.raises(RunError, match="holds a study of another job"):
        searched(other, study.path, trials=5, resume=True)
    fewer = pd.read_parquet(table).iloc[:-5].to_parquet
    fewer(tmp_path / table.name)
    with pytest.raises(RunError, match="no longer holds the rows"):
        searched(small_job(tmp_path / table.name), study.path, trials=5, resume=True)
    wider = small_job(table, tune=OWN | {"train.lr": [0.02, 0.03, "log"]})  # ranges may change
    trials = searched(wider, study.path, trials=5, resume=True)
    assert [t.changed for t in trials[:4]] == [t.changed for t in study.trials]
    assert 0.02 <= trials[4].changed["train.lr"] <= 0.03


def test_answers_of_test_rows_change_no_trial(table: Path, tmp_path: Path, searched: Any) -> None:
    frame = pd.read_parquet(table)
    job = small_job(table)
    parts = split_job(open_table(table), load_job(job))
    uses = pd.Series("train", frame.index)
    uses[parts.validation], uses[parts.test] = "validation", "test"
    poisoned = frame["fault_code"].copy()
    poisoned[parts.test] = frame["fault_code"][parts.test].map({"ok": "crack", "crack": "ok"})
    assert (poisoned != frame["fault_code"]).sum() == len(parts.test)
    found = []
    for name, answers in (("as it is", frame["fault_code"]), ("poisoned", poisoned)):
        path = tmp_path / name / "parts.parquet"
        path.parent.mkdir()
        frame.assign(fault_code=answers, part=uses).to_parquet(path)
        changed = small_job(path, split={"column": "part"})
        trials: list[Tried] = searched(changed, tmp_path / name / "study", trials=3)
        found.append([(t.changed, t.score, t.looks) for t in trials])
    assert found[0] == found[1]
    assert len({score for _, score, _ in found[0]}) > 1


def test_values_that_do_not_go_together_end_their_trial_with_a_reason(
    table: Path, tmp_path: Path, searched: Any
) -> None:
    tune = {"fuse.type": {"any": ["attention"]}, "fuse.heads": {"any": [3]}}
    trials = searched(small_job(table, tune=tune), tmp_path / "study", trials=2)
    assert trials[0].score is not None
    assert trials[1].score is None
    assert "must divide width 16. Got 3" in trials[1].why


def test_two_workers_share_a_study(table: Path, tmp_path: Path, searched: Any) -> None:
    trials = searched(small_job(table), tmp_path / "study", trials=4, workers=2)
    assert [t.number for t in trials] == [0, 1, 2, 3]
    assert all(t.score is not None for t in trials)
    assert not list((tmp_path / "study").glob("worker-*.log"))


def test_against_size_tells_what_none_beats_at_its_size(
    table: Path, tmp_path: Path, searched: Any
) -> None:
    trials = searched(small_job(table), tmp_path / "study", trials=3, against="size")
    assert all(t.parameters and t.latency_ms for t in trials)
    wide = max(trials, key=lambda t: t.changed["fuse.width"])
    assert wide.parameters == max(t.parameters for t in trials)


def test_the_frontier_and_the_best() -> None:
    scores = {0: (0.7, 100), 1: (0.9, 300), 2: (0.8, 200), 3: (0.75, 250), 4: (0.9, 400)}
    trials = [Tried(n, {}, s, parameters=size) for n, (s, size) in scores.items()]
    trials.append(Tried(5, {}, None, why="ended early"))
    assert [t.number for t in frontier(trials, "size")] == [0, 2, 1]
    assert frontier(trials, "latency") == []
    best = best_of(trials)
    assert best is not None
    assert best.number == 1  # as good as 4, and smaller
    assert set(COSTS) == {"size", "latency"}


def test_minutes_bound_it_with_the_final_training() -> None:
    asked = tune_run.Asked(minutes=20.0)
    assert limit_minutes(asked, 5.0) == 15.0
    assert limit_minutes(asked, 0.1) == pytest.approx(20.0 * 6 / 7)
    assert limit_minutes(tune_run.Asked(), 5.0) is None
    with pytest.raises(JobError, match="minutes: 20 is less than one trial and the final training"):
        limit_minutes(asked, 11.0)


def test_the_end_of_the_minutes_ends_the_trials(
    table: Path, tmp_path: Path, searched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune_run, "limit_minutes", lambda *_: 0.0)
    with pytest.raises(RunError, match=r"no trial has a score \(none was begun\)"):
        searched(small_job(table), tmp_path / "study", minutes=1.0)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"minutes": 0.0}, "minutes: 0 is no time to search in"),
        ({"trials": 0}, "trials: 0 is too few"),
        ({"workers": 0}, "workers: 0 is too few"),
    ],
)
def test_what_no_search_can_be_asked(
    table: Path, tmp_path: Path, searched: Any, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(JobError, match=said):
        searched(small_job(table), tmp_path / "study", **asked)
    assert not (tmp_path / "study").exists()


def test_what_a_search_needs(
    table: Path, tmp_path: Path, searched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = {"by": "machine", "test": 0.25, "validation": 0.0}
    with pytest.raises(JobError, match="leaves no validation row"):
        searched(small_job(table, split=split), tmp_path / "study", trials=2)
    frame = pd.read_parquet(table)
    with pytest.raises(JobError, match="cannot share a table in memory"):
        searched(small_job(table), tmp_path / "s", trials=2, workers=2, table=frame)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    with pytest.raises(RunError, match="holds a run; give another directory"):
        searched(small_job(table), tmp_path / "run", trials=2)
    monkeypatch.setattr(imports, "find_spec", lambda name: None)
    with pytest.raises(JobError, match=r"needs optuna; run: pip install 'modalloy\[tune\]'"):
        searched(small_job(table), tmp_path / "study", trials=2)
