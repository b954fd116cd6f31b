"""A training that starts from an earlier run has what fits of it, and says what does not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import modalloy as ma
from modalloy.errors import JobError, LeakError, RunError
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.judge.before import begun
from modalloy.learn.training import begin_job, learn_job
from modalloy.runs.run import Run
from modalloy.runs.seal import digest
from modalloy.runs.start import compare, differs
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

pytestmark = pytest.mark.usefixtures("no_lines")

COLUMNS = ("note", "load", "site")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from conftest import write_table

    folder = tmp_path_factory.mktemp("start")
    frame = pd.read_parquet(write_table(folder))
    frame["colour"] = np.resize(["red", "blue", "green"], len(frame))
    frame["kind"] = np.where(frame.index % 5 == 0, "dent", frame["fault_code"])
    frame["part"] = np.resize(["train", "train", "val", "test"], len(frame))
    frame.to_parquet(folder / "parts.parquet")
    return folder


def job_of(folder: Path, job_dict: Any, *columns: str, **train: Any) -> dict[str, Any]:
    """A job that splits its rows as its column `part` says."""
    settings = {"epochs": 1, "batch": 16, "precision": "float32"} | train
    job = job_dict(folder / "parts.parquet", columns=columns or COLUMNS, train=settings)
    return job | {"split": {"column": "part"}}


@pytest.fixture(scope="module")
def parent(no_lines: None, folder: Path) -> Run:
    from conftest import make_job

    job = job_of(folder, make_job, epochs=6, lr=3e-3, batch=8)
    return ma.train(job, out=folder / "parent", quiet=True)


def begin(job: dict[str, Any], out: Path, start: Run | None = None) -> Any:
    """The model before its first step, and what it has from where."""
    loaded = load_job(job)
    table = open_table(loaded.table)
    return begin_job(loaded, table, split_job(table, loaded), out=out, start=start, quiet=True)


def test_the_same_job_starts_with_the_very_model(
    folder: Path, parent: Run, job_dict: Any, tmp_path: Path
) -> None:
    found = begin(job_of(folder, job_dict), tmp_path, parent)
    weights = load_file(parent.path / "model.safetensors")
    own = found.model.state_dict()
    assert all(torch.equal(own[n], t) for n, t in weights.items())
    assert own.keys() == weights.keys()
    assert found.started.unlike == ()
    names = ["column 'load'", "column 'site'", "column 'note'", "task 'fault'", "task 'life'"]
    assert sorted(found.started.kept) == sorted(names)
    assert found.loader.readers == parent.readers
    assert found.started.sha256 == digest(parent.path / "run.json") == parent.identity
    before = begun(found.model, found.loader)  # without a start in its job: as it would be anew
    assert any(not torch.equal(t, own[n]) for n, t in before.state_dict().items())


def test_start_in_the_job_changes_what_is_learned_and_is_noted(
    folder: Path, parent: Run, job_dict: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = job_of(folder, job_dict)
    page = tmp_path / "job.yaml"
    page.write_text(json.dumps(job | {"train": job["train"] | {"start": "../" + parent.path.name}}))
    (tmp_path / ".." / parent.path.name).resolve().symlink_to(parent.path)
    loaded = load_job(page)
    assert loaded.train.start == tmp_path.parent / parent.path.name
    anew = ma.train(job, out=tmp_path / "anew", quiet=True)
    capsys.readouterr()
    run = ma.train(page, out=tmp_path / "run")
    assert f"starting from {parent.path.resolve()} with its column" in capsys.readouterr().err
    assert "start" not in anew.notes
    note = ma.load_run(run.path).notes["start"]
    assert note["sha256"] == parent.identity
    assert note["unlike"] == []
    assert "task 'fault'" in note["kept"]
    losses = [r.notes["curves"][0]["loss"] for r in (anew, run)]
    assert losses[1] < 0.5 * losses[0]
    first = json.loads((run.path / "report.json").read_text())["before"]["fault"]["accuracy"]
    then = json.loads((parent.path / "report.json").read_text())["tasks"]["fault"]["accuracy"]
    assert first == then  # before its first step it is what the parent was
    assert ma.check(page).ok


def test_one_column_and_one_class_more_are_named_and_the_rest_goes_on(
    folder: Path, parent: Run, job_dict: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = job_of(folder, job_dict, *COLUMNS, "vibration", start=str(parent.path))
    job["tasks"]["fault"]["target"] = "kind"
    renamed = parent.job.tasks["fault"].model_copy(update={"target": "kind"})
    tasks = {**parent.job.tasks, "fault": renamed}
    run = Run(
        parent.path,
        parent.job.model_copy(update={"tasks": tasks}),
        parent.readers,
        parent.targets,
        parent.trunks,
        parent.notes,
        parent.decimal,
    )
    found = begin(job, tmp_path, run)
    assert found.started.unlike == (
        "column 'vibration' is new",
        "task 'fault' has classes that were not there, 'dent': it begins anew",
        "the fusion begins anew: it joined table, note by concat, and joins table, note, "
        "vibration by concat",
    )
    weights, own = load_file(parent.path / "model.safetensors"), found.model.state_dict()
    same = {n for n in own if n in weights and own[n].shape == weights[n].shape}
    taken = {n for n in same if torch.equal(own[n], weights[n])}
    begin_with = ("encoders.in_note.", "encoders.in_table.", "tasks.in_life.")
    assert {n for n in weights if n.startswith(begin_with)} <= taken
    assert not [n for n in taken if n.startswith("tasks.in_fault.")]
    assert [n for n in own if n.startswith("encoders.in_vibration.")]
    assert list(found.loader.targets["fault"].names) == ["crack", "dent", "ok"]
    capsys.readouterr()
    trained = ma.train(job, out=tmp_path / "run")  # whose task has another target altogether
    told = capsys.readouterr().err
    assert "  column 'vibration' is new" in told
    assert "  task 'fault' has another target, so it begins anew" in told
    assert trained.notes["start"]["unlike"][0] == "column 'vibration' is new"
    assert len(ma.predict(trained, folder / "parts.parquet", quiet=True)) == 80


def test_plain_columns_are_one_encoder_and_a_new_one_makes_it_new(
    folder: Path, parent: Run, job_dict: Any, tmp_path: Path
) -> None:
    job = job_of(folder, job_dict)
    job["columns"]["colour"] = {"type": "category"}
    del job["columns"]["site"]
    found = begin(job, tmp_path, parent)
    assert found.started.unlike == (
        "column 'colour' is new",
        "column 'site' is gone",
        "number, category and time columns are read together: their encoder begins anew",
    )
    assert found.loader.readers["load"] == parent.readers["load"]
    weights, own = load_file(parent.path / "model.safetensors"), found.model.state_dict()
    assert torch.equal(own["fusion.join.weight"], weights["fusion.join.weight"])
    anew = begin(job, tmp_path).model.state_dict()
    plain = [n for n in own if n.startswith("encoders.in_table.")]
    assert all(torch.equal(own[n], anew[n]) for n in plain)


def test_readers_go_on_as_they_were_fitted(
    folder: Path, parent: Run, job_dict: Any, tmp_path: Path
) -> None:
    frame = pd.read_parquet(folder / "parts.parquet")
    frame["load"] = frame["load"] * 3 + 100
    frame["hours_left"] = frame["hours_left"] * 2
    frame.loc[frame["part"] != "test", "fault_code"] = frame["fault_code"].replace("ok", "crack")
    frame.loc[frame.index[:2], ["fault_code", "part"]] = ["ok", "train"]
    table = folder / "far.parquet"
    frame.to_parquet(table)
    job = job_of(folder, job_dict) | {"table": str(table)}
    job["tasks"]["fault"]["class_weights"] = "balanced"
    found, anew = begin(job, tmp_path, parent), begin(job, tmp_path)
    assert found.loader.readers == parent.readers != anew.loader.readers
    assert found.loader.targets["life"] == parent.targets["life"] != anew.loader.targets["life"]
    fault = found.loader.targets["fault"]
    assert fault.names == parent.targets["fault"].names
    assert (
        fault.counts == anew.loader.targets["fault"].counts
    )  # classes are as rare as they are here


def test_options_that_only_say_how_to_learn_change_nothing_and_others_are_named() -> None:
    text = config.Text(encoder="minilm")
    assert differs(text, config.Text(encoder="minilm", tune="frozen")) == ""
    assert differs(config.Number(unit="kN"), config.Number(unit="N")) == ""
    one, other = config.Classify(target="y", weight=2.0), config.Classify(target="y")
    assert differs(one, other) == ""
    assert differs(config.Image(pixels=32), config.Image(pixels=64, augment="none")) == (
        "has another pixels, so it begins anew"
    )
    assert differs(config.Tokens(), config.Text()) == (
        "was of type text and is of type tokens, so it begins anew"
    )
    assert differs(text, None) == "is new"


def test_another_width_is_said_for_each_part(
    folder: Path, parent: Run, job_dict: Any, tmp_path: Path
) -> None:
    job = job_of(folder, job_dict)
    job["fuse"] = {"type": "gated", "width": 24, "auxiliary": 0.5}
    unlike = begin(job, tmp_path, parent).started.unlike
    assert any(s.startswith("column 'note': ") and s.endswith("begin anew") for s in unlike)
    assert any(s.startswith("task 'life': 1 of its 2 weights are new") for s in unlike)
    assert "the fusion begins anew: it joined table, note by concat, and joins table, note by " in (
        " ".join(unlike)
    )
    job["fuse"] = {"type": "concat", "width": 16, "layers": 1, "auxiliary": 0.5}
    assert any("from 'note' alone" in s for s in begin(job, tmp_path, parent).started.unlike) == (
        parent.job.fuse.auxiliary == 0
    )


def test_what_cannot_be_a_start_is_one_sentence(
    folder: Path, parent: Run, job_dict: Any, tmp_path: Path
) -> None:
    job = job_of(folder, job_dict, start="nowhere")
    for verb in (ma.check, lambda j: ma.train(j, out=tmp_path / "run", quiet=True)):
        with pytest.raises(RunError, match=r"^train\.start: .*nowhere: no such run directory\.$"):
            verb(job)
    assert not (tmp_path / "run").exists()
    other = job_of(folder, job_dict, "vibration", start=str(parent.path))
    told = r"^train\.start: .*parent shares no column with this job: it reads load, site, note, "
    with pytest.raises(JobError, match=told + r"the job vibration\. Take"):
        ma.train(other, out=tmp_path / "run", quiet=True)
    with pytest.raises(JobError, match=told):
        compare(load_job(other), parent)
    with pytest.raises(JobError, match=r"job: train\.start: must be text"):
        load_job(job_of(folder, job_dict, start=3))


def test_rows_that_the_start_has_learned_from_are_no_test_rows(
    folder: Path, parent: Run, job_dict: Any, tmp_path: Path
) -> None:
    job = job_of(folder, job_dict, start=str(parent.path)) | {
        "split": {"by": "machine", "test": 0.25, "validation": 0.2}
    }
    told = rf"train\.start: \d+ of \d+ test rows are rows that {parent.path} learned from"
    with pytest.raises(LeakError, match=told):
        ma.train(job, out=tmp_path / "run", quiet=True)
    assert not ma.check(job).ok
    run = ma.train(job | {"allow_leak": True}, out=tmp_path / "run", quiet=True)
    levels = [f["level"] for f in run.notes["findings"] if f["where"] == "train.start"]
    loaded = load_job(job)
    stop_by = split_job(open_table(loaded.table), loaded).validation
    # The parent only stopped by these rows, so that there is nothing to warn of beside the leak.
    assert set(pd.read_parquet(folder / "parts.parquet")["part"][stop_by]) == {"val"}
    assert levels == ["leak"]


def test_rows_of_one_number_that_look_alike_by_chance_are_no_leak(
    folder: Path, job_dict: Any, tmp_path: Path
) -> None:
    draw = np.random.default_rng(1)
    frame = pd.read_parquet(folder / "parts.parquet")
    tables = [tmp_path / name for name in ("first.parquet", "second.parquet")]
    for table in tables:
        frame.assign(load=draw.integers(0, 300, len(frame))).to_parquet(table)
    job = job_of(folder, job_dict, "load") | {"table": str(tables[0])}
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    job["train"]["start"] = str(run.path)
    loads = [pd.read_parquet(t) for t in tables]
    learned = loads[0].loc[loads[0]["part"] != "test", "load"]
    assert loads[1].loc[loads[1]["part"] == "test", "load"].isin(learned).any()
    for table in tables:
        found = ma.check(job | {"table": str(table)}).findings
        assert not [f for f in found if f.where == "train.start"]


def test_rows_of_one_number_that_are_the_same_rows_are_a_leak(
    folder: Path, job_dict: Any, tmp_path: Path
) -> None:
    frame = pd.read_parquet(folder / "parts.parquet")
    frame["load"] = np.random.default_rng(1).permutation(len(frame)) * 1.5
    tables = [tmp_path / name for name in ("first.parquet", "second.parquet")]
    frame.to_parquet(tables[0])
    frame["part"] = frame["part"].map({"train": "test", "test": "train", "val": "val"})
    frame.to_parquet(tables[1])
    job = job_of(folder, job_dict, "load") | {"table": str(tables[0])}
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    job["train"]["start"] = str(run.path)
    found = ma.check(job | {"table": str(tables[1])}).findings
    assert [f.level for f in found if f.where == "train.start"] == ["leak"]


def test_training_for_other_verbs_looks_at_no_answer_of_a_test_row(
    folder: Path, parent: Run, job_dict: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the outside: without test figures, from a run that is handed over, as a round would."""
    from modalloy.answer.loader import Loader

    loaded = load_job(job_of(folder, job_dict, epochs=2, refit=True))
    table = open_table(loaded.table)
    parts = split_job(table, loaded)
    asked: set[int] = set()
    real = Loader.cells

    def cells(self: Loader, columns: Any, rows: np.ndarray) -> Any:
        if {"fault_code", "hours_left"} & set(columns):
            asked.update(rows.tolist())
        return real(self, columns, rows)

    monkeypatch.setattr(Loader, "cells", cells)
    learned = learn_job(loaded, table, parts, out=tmp_path / "run", start=parent, quiet=True)
    assert asked == {*parts.train.tolist(), *parts.validation.tolist()}
    assert learned.start is parent
    assert learned.refit
    assert learned.started is not None
    assert learned.started.run == str(parent.path.resolve())
    assert learned.progress.curves[0]["validation"]["fault"]["accuracy"] > 0.5
    assert not (tmp_path / "run" / "run.json").exists()
