"""Training: goes on bit for bit after any interruption, stops early, keeps the best weights."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import modalloy as ma
from conftest import write_table
from modalloy.errors import JobError, LeakError, RunError, TableError
from modalloy.judge.report import Report
from modalloy.machine.files import locked

pytestmark = pytest.mark.usefixtures("no_lines")

COLUMNS = ("note", "load", "site")
# A process that is itself never killed: for each line it reads it trains in a new one, whose number
# it tells. What a report needs is not looked at here.
TRAINER = """
import json, os, sys
import torch
torch.set_num_threads(1)
import modalloy as ma
from modalloy.learn import train_run
train_run.first_look = lambda *given, **options: None
train_run.report_on = lambda *given, **options: None
for _ in sys.stdin:
    child = os.fork()
    if child == 0:
        ma.train(json.loads(sys.argv[1]), out=sys.argv[2], resume=True, quiet=True)
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model.safetensors")


def assert_same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def test_a_run_holds_all_its_parts_and_learns(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    job = job_dict(small_table, columns=COLUMNS, train={"epochs": 8, "batch": 8, "lr": 3e-3})
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    for name in (
        "job.yaml",
        "schema.json",
        "rows.safetensors",
        "model.safetensors",
        "run.json",
        "report.json",
        "report.html",
        "card.md",
        "log.jsonl",
    ):
        assert (run.path / name).is_file(), name
    report = ma.evaluate(run, quiet=True)
    assert report.tasks["fault"]["accuracy"] > 0.8
    assert report.tasks["life"]["r2"] > 0.5
    untrained = ma.train(job | {"train": {"epochs": 1, "lr": 1e-9}}, out=tmp_path / "x", quiet=True)
    now = json.loads((untrained.path / "report.json").read_text())["tasks"]
    for task, metric in (("fault", "accuracy"), ("life", "rmse")):
        before = report.before[task]
        assert before["label"] == "before training"
        assert before[metric] == pytest.approx(now[task][metric], abs=1e-3)
    assert report.before["fault"]["accuracy"] < report.tasks["fault"]["accuracy"]
    assert "(before training " in report.text()
    assert "Before and after" in (run.path / "report.html").read_text()


def test_a_task_may_have_any_name(small_table: Path, job_dict: Any, tmp_path: Path) -> None:
    tasks = {
        "rate kg/h": {"type": "regress", "target": "hours_left"},
        "consistency": {"type": "classify", "target": "fault_code"},
    }
    train = {"epochs": 8, "batch": 8, "lr": 3e-3}
    job = job_dict(small_table, columns=COLUMNS, tasks=tasks, train=train)
    job["fuse"] |= {"consistency": 0.1}
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    report = json.loads((run.path / "report.json").read_text())["tasks"]
    assert report["consistency"]["accuracy"] > 0.8
    assert report["rate kg/h"]["r2"] > 0.5


def test_same_seed_same_weights_and_another_seed_others(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    job = job_dict(small_table, columns=COLUMNS)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        ma.train({**job, "seed": seed}, out=tmp_path / name, quiet=True)
    assert_same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    a, c = weights(tmp_path / "a"), weights(tmp_path / "c")
    assert any(not torch.equal(a[name], c[name]) for name in a)


def test_killed_at_any_moment_resumes_to_the_same_weights(job_dict: Any, tmp_path: Path) -> None:
    job = job_dict(
        write_table(tmp_path, rows=40),
        columns=COLUMNS,
        train={
            "epochs": 12,
            "batch": 8,
            "patience": 0,
            "ema": 0.9,
            "precision": "float32",
            "refit": True,
        },
    )
    ma.train(job, out=tmp_path / "whole", quiet=True)
    broken = tmp_path / "broken"
    command = [sys.executable, "-c", TRAINER, json.dumps(job), str(broken)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    kills = 0
    with subprocess.Popen(command, **pipes) as trainer:
        for name, delay in (("last", 0.02), ("last", 0.3), ("refit", 0.01), ("never", 0)):
            last = broken / "checkpoints" / f"{name}.safetensors"
            before = last.stat().st_mtime_ns if last.is_file() else 0
            print(file=trainer.stdin, flush=True)
            child = int(trainer.stdout.readline())
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and not (broken / "run.json").is_file():
                if last.is_file() and last.stat().st_mtime_ns != before:
                    time.sleep(delay)
                    os.kill(child, signal.SIGKILL)
                    break
                time.sleep(0.005)
            ended = int(trainer.stdout.readline())
            assert ended in (0, -signal.SIGKILL)
            kills += ended != 0
            if (broken / "run.json").is_file():
                break
    assert kills >= 1, "the training ended before it could be killed"
    assert_same(weights(tmp_path / "whole"), weights(broken))


def test_an_interrupted_run_directory_is_not_overwritten_silently(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    job = job_dict(small_table, columns=COLUMNS)
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    with pytest.raises(RunError, match="finished run"):
        ma.train(job, out=run.path, quiet=True)
    (run.path / "run.json").unlink()
    (run.path / "checkpoints").mkdir(exist_ok=True)
    (run.path / "checkpoints" / "last.safetensors").write_bytes(b"x")
    with pytest.raises(RunError, match="--resume"):
        ma.train(job, out=run.path, quiet=True)
    with pytest.raises(RunError, match="cannot be read"):
        ma.train(job, out=run.path, resume=True, quiet=True)


def test_a_run_of_a_frame_wants_its_table_to_be_evaluated(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    frame = pd.read_parquet(small_table)
    job = job_dict(small_table, columns=("load",))
    run = ma.train(job, table=frame, out=tmp_path / "run", quiet=True)
    with pytest.raises(RunError, match="frame in memory"):
        ma.evaluate(run, quiet=True)
    assert ma.evaluate(run, frame, quiet=True).rows == {"test": 80}


def test_resume_refuses_another_job(
    small_table: Path, job_dict: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import modalloy.learn.train_run as training

    job = job_dict(small_table, columns=COLUMNS)

    def stop(*_: Any, **__: Any) -> None:
        raise RuntimeError("stop before the run is sealed")

    monkeypatch.setattr(training, "save_run", stop)
    with pytest.raises(RuntimeError, match="sealed"):
        ma.train(job, out=tmp_path / "run", quiet=True)
    with pytest.raises(RunError, match="splits them otherwise"):
        ma.train({**job, "seed": 5}, out=tmp_path / "run", resume=True, quiet=True)
    others: list[dict[str, Any]] = [
        {"fuse": job["fuse"] | {"width": 24}},
        {"fuse": job["fuse"] | {"type": "gated"}},
        {"train": job["train"] | {"weighting": "uncertainty"}},
        {"train": job["train"] | {"optimizer": "sgd"}},
        {"tasks": {"life": job["tasks"]["life"]}},
    ]
    for other in others:
        with pytest.raises(RunError, match="another job"):
            ma.train(job | other, out=tmp_path / "run", resume=True, quiet=True)
    frame = pd.read_parquet(small_table)
    pd.concat([frame, frame.head(8)], ignore_index=True).to_parquet(small_table)
    with pytest.raises(RunError, match="no longer holds the rows"):
        ma.train(job, out=tmp_path / "run", resume=True, quiet=True)


def test_a_place_that_cannot_be_written_is_refused_at_once(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    job = job_dict(small_table, columns=COLUMNS)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunError, match="cannot be made"):
        ma.train(job, out=tmp_path / "file", quiet=True)
    assert (tmp_path / "file").read_text() == "mine"
    with (
        locked(tmp_path / "training.lock", "held"),
        pytest.raises(RunError, match="another training writes"),
    ):
        ma.train(job, out=tmp_path, quiet=True)
    assert not (tmp_path / "training.lock").exists()


def test_no_test_rows_no_figures(small_table: Path, job_dict: Any, tmp_path: Path) -> None:
    job = job_dict(small_table, columns=COLUMNS)
    job["split"] = {"by": "machine", "test": 0, "validation": 0.2}
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    report = ma.evaluate(run, quiet=True)
    assert report.rows["test"] == 0
    assert report.rows["train"] > 0
    assert report.tasks == {}
    assert any("no test rows" in f["what"] for f in report.findings)
    assert "nobody knows how well" in (run.path / "report.html").read_text()


def test_test_rows_without_an_answer_are_no_obstacle(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    frame = pd.read_parquet(small_table).sort_values("taken_at", ignore_index=True)
    frame.loc[frame.index >= 60, "hours_left"] = None
    frame.to_parquet(small_table)
    job = job_dict(small_table, columns=("load", "site"))
    job["split"] = {"time": "taken_at", "test": 0.2, "validation": 0.1}
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    report = Report.load(run.path / "report.json")
    assert 0 <= report.tasks["fault"]["accuracy"] <= 1
    assert "rmse" not in report.tasks["life"]
    assert report.about["life"]["rows"] == 0


def test_ctrl_c_leaves_a_usable_run(
    small_table: Path, job_dict: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import modalloy.learn.train as train

    real, seen = train.fit, []

    def pressed(*args: Any, **kwargs: Any) -> Any:
        for step in real(*args, **kwargs):
            seen.append(step)
            if len(seen) == 9:
                raise KeyboardInterrupt
            yield step

    monkeypatch.setattr(train, "fit", pressed)
    settings = {"epochs": 4, "batch": 8, "patience": 0, "precision": "float32"}
    job = job_dict(small_table, columns=COLUMNS, train=settings)
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    assert len(seen) == 9
    assert run.notes["interrupted"]
    assert len(ma.predict(run, small_table, quiet=True)) == 80
    assert "interrupted after 1 of 4 epochs" in (run.path / "report.html").read_text()
    ma.evaluate(run, quiet=True)  # leaves what the training goes on from
    with pytest.raises(RunError, match="--resume"):
        ma.train(job, out=run.path, quiet=True)
    monkeypatch.setattr(train, "fit", real)
    ended = ma.train(job, out=run.path, resume=True, quiet=True)
    assert not ended.notes["interrupted"]
    assert ended.notes["epochs"] == 4
    assert not (run.path / "checkpoints").exists()
    whole = ma.train(job, out=tmp_path / "whole", quiet=True)
    assert_same(weights(whole.path), weights(run.path))


def test_a_loss_that_is_no_number_says_what_to_do(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    train = {"epochs": 3, "batch": 8, "lr": 1e30}
    job = job_dict(small_table, columns=("load", "note"), train=train)
    with pytest.raises(JobError, match=r"the loss is nan at step 2.* Lower train\.lr \(1e\+30\)"):
        ma.train(job, out=tmp_path / "run", quiet=True)


def test_patience_stops_early_and_keeps_the_best_epoch(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    job = job_dict(
        small_table, columns=COLUMNS, train={"epochs": 60, "batch": 8, "patience": 2, "lr": 0.02}
    )
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    assert run.notes["epochs"] < 60
    looks = [c["epoch"] for c in run.notes["curves"]]
    assert looks == [3 * (i + 1) for i in range(len(looks))]  # 25 steps or more, not one pass of 9
    assert looks.index(run.notes["best_epoch"]) == len(looks) - 1 - 2
    scores = [c["score"] for c in run.notes["curves"]]
    assert scores[looks.index(run.notes["best_epoch"])] == max(scores)


def test_refit_learns_from_the_validation_rows_too(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    frame = pd.read_parquet(small_table)
    frame["part"] = np.resize(["train", "train", "val", "test"], len(frame))
    frame["site"] = frame["site"].where(frame["part"] != "val", "only among validation rows")
    table = tmp_path / "parts.parquet"
    frame.to_parquet(table)
    train = {"epochs": 9, "batch": 8, "lr": 3e-3, "patience": 2}
    job = job_dict(table, columns=("load", "site"), train=train) | {"split": {"column": "part"}}
    once = ma.train(job, out=tmp_path / "once", quiet=True)
    job["train"] = train | {"refit": True}
    twice = ma.train(job, out=tmp_path / "twice", quiet=True)
    assert once.notes["curves"] == twice.notes["curves"]
    assert [once.notes["refit"], twice.notes["refit"]] == [False, True]
    seen = ["only among validation rows" in run.readers["site"].names for run in (once, twice)]
    assert seen == [False, True]
    reports = [json.loads((run.path / "report.json").read_text()) for run in (once, twice)]
    rows = len(frame) // 4
    assert reports[0]["rows"] == {"train": 2 * rows, "validation": rows, "test": rows}
    assert reports[1]["rows"] == {"train": 2 * rows, "refit": rows, "test": rows}
    assert reports[0]["tasks"] != reports[1]["tasks"]
    assert ma.evaluate(twice, quiet=True).rows == reports[1]["rows"]
    assert not (twice.path / "checkpoints").exists()
    lines = (twice.path / "refit.jsonl").read_text().splitlines()
    assert len(lines) == twice.notes["best_epoch"] < twice.notes["epochs"]


def test_ctrl_c_while_refitting_keeps_the_first_model(
    small_table: Path, job_dict: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import modalloy.learn.train as train

    settings = {"epochs": 3, "batch": 8}
    job = job_dict(small_table, columns=COLUMNS, train=settings)
    once = ma.train(job, out=tmp_path / "once", quiet=True)
    real, calls = train.fit, []

    def pressed(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) > 3:
            raise KeyboardInterrupt
        yield from real(*args, **kwargs)

    monkeypatch.setattr(train, "fit", pressed)
    job["train"] = settings | {"refit": True}
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    assert run.notes["refit"] is False
    assert run.notes["interrupted"]
    assert_same(weights(once.path), weights(run.path))


def test_a_leak_is_refused_unless_allowed(small_table: Path, job_dict: Any, tmp_path: Path) -> None:
    columns = {"load": {"type": "number"}, "machine": {"type": "group"}}
    job = job_dict(small_table, columns=("load",), split={"random": "stratified"})
    job["columns"] = columns
    with pytest.raises(LeakError, match="machine"):
        ma.train(job, out=tmp_path / "run", quiet=True)
    run = ma.train({**job, "allow_leak": True}, out=tmp_path / "run", quiet=True)
    assert any(f["level"] == "leak" for f in run.notes["findings"])
    assert "machine" in (run.path / "report.html").read_text()


def test_an_unreadable_picture_stops_with_its_row_or_counts_as_missing(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    (small_table.parent / "img" / "010.png").write_bytes(b"\x89PNG broken")
    job = job_dict(small_table, columns=("photo", "load"))
    with pytest.raises(TableError, match="10"):
        ma.train(job, out=tmp_path / "run", quiet=True)
    run = ma.train({**job, "unreadable": "missing"}, out=tmp_path / "run", quiet=True)
    said = ma.predict(run, small_table, quiet=True)["status.photo"]
    assert said[10].startswith("unreadable")
