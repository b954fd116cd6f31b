"""Calibration rows teach, stop and test nothing; a run answers with what was fitted on them."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

import modalloy as ma
from conftest import make_job, write_table
from modalloy.answer.answers import EVERYTHING
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.answer.promise import promises_of
from modalloy.answer.stage import Temperature, scaled
from modalloy.answer.thresholds import Thresholds
from modalloy.judge.report import Report
from modalloy.runs.run import Run
from modalloy.table.open_table import open_table

pytestmark = pytest.mark.usefixtures("no_lines")

COLUMNS = ("load", "site", "note")
TASKS = {
    "fault": {"type": "classify", "target": "fault_code"},
    "life": {"type": "regress", "target": "hours_left"},
}


def part_table(table: Path) -> dict[str, Any]:
    """A job whose table says which rows calibrate: every fifth."""
    frame = pd.read_parquet(table)
    frame["part"] = np.array(["train", "train", "calibration", "test", "val"])[frame.index % 5]
    frame.to_parquet(table, index=False)
    train = {"epochs": 3, "batch": 16, "precision": "float32"}
    split = {"column": "part"}
    return make_job(table, columns=COLUMNS, tasks=TASKS, split=split, train=train, calibrate={})


@pytest.fixture
def parted(small_table: Path) -> dict[str, Any]:
    """Such a job over a table of the test's own."""
    return part_table(small_table)


class Trained(NamedTuple):
    """A job, a run of it, and one of the same job over a table without calibration rows."""

    job: dict[str, Any]
    run: Run
    plain: Run


@pytest.fixture(scope="module")
def trained(no_lines: None, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Trained once for all tests here, which change neither runs nor tables."""
    folder = tmp_path_factory.mktemp("calibrated")
    job = part_table(write_table(folder))
    plain = ma.train(without_calibration(job), out=folder / "plain", quiet=True)
    return Trained(job, ma.train(job, out=folder / "run", quiet=True), plain)


def without_calibration(job: dict[str, Any]) -> dict[str, Any]:
    """The same job over a table whose calibration rows are in no part, and uncalibrated."""
    frame = pd.read_parquet(job["table"])
    frame["part"] = frame["part"].where(frame["part"] != "calibration", None)
    path = Path(job["table"]).with_name("without.parquet")
    frame.to_parquet(path, index=False)
    return job | {"table": str(path), "calibrate": {"use": "never"}}


def test_calibration_rows_change_how_sure_answers_are_and_nothing_else(trained: Trained) -> None:
    job, run, plain = trained
    one, other = (load_file(r.path / "model.safetensors") for r in (plain, run))
    assert all(np.array_equal(one[name], other[name]) for name in one)
    lines = [(r.path / "log.jsonl").read_text() for r in (plain, run)]
    assert lines[0] == lines[1]
    assert set(run.stages) == {"fault"}
    stage = run.stages["fault"]
    assert isinstance(stage, Temperature)
    assert stage.rows == 16
    assert stage.temperature != 1.0
    answers = [ma.predict(str(r.path), job["table"], quiet=True) for r in (plain, run)]
    assert (answers[0]["fault"] == answers[1]["fault"]).all()
    assert (answers[0]["life"] == answers[1]["life"]).all()
    named = [c for c in answers[0] if str(c).startswith("fault.p[")]
    expected = scaled(answers[0][named].to_numpy(), stage.temperature, several=False)
    assert answers[1][named].to_numpy() == pytest.approx(expected, abs=1e-5)


def test_the_report_says_what_the_stage_has_changed(trained: Trained) -> None:
    run = trained.run
    report = json.loads((run.path / "report.json").read_text())
    assert report["rows"] == {"train": 32, "validation": 16, "test": 16, "calibration": 16}
    said = report["adjusted"]["fault"]
    assert said["temperature"] == run.stages["fault"].temperature
    assert said["after"]["ece"] == report["tasks"]["fault"]["ece"]
    table = open_table(trained.job["table"])
    which = np.flatnonzero(np.arange(table.rows) % 5 == 3)
    loader = Loader(table, run.job, run.readers, run.targets)
    network = answer_rows(run.model(), loader, which).seen[EVERYTHING]["fault"]["probability"]
    assert said["before"]["log_loss"] != said["after"]["log_loss"]
    truth = pd.read_parquet(trained.job["table"])["fault_code"][which]
    chosen = [run.targets["fault"].names.index(t) for t in truth]
    own = -np.log(network[np.arange(len(which)), chosen]).mean()
    assert said["before"]["log_loss"] == pytest.approx(own, rel=1e-4)
    page = (run.path / "report.html").read_text()
    assert "adjusted on 16 rows that were neither learned from nor tested on" in page
    assert "16 kept to adjust how sure answers are" in page
    again = ma.evaluate(str(run.path), quiet=True)
    assert again.adjusted["fault"]["before"] == said["before"]
    assert again.tasks["fault"]["log_loss"] == report["tasks"]["fault"]["log_loss"]


def test_a_run_without_calibration_rows_is_as_it_was(trained: Trained) -> None:
    run = trained.plain
    assert run.job.calibrate.use == "never"
    assert run.stages == {}
    assert run.parts == ()
    assert not [c for c in ma.predict(run, trained.job["table"], quiet=True) if "abstain" in c]
    assert json.loads((run.path / "schema.json").read_text())["stages"] == {}
    assert set(load_file(run.path / "rows.safetensors")) == {"train", "validation", "test"}
    report = json.loads((run.path / "report.json").read_text())
    assert report["adjusted"] == report["calibrated"] == {}
    assert "calibration" not in report["rows"]
    assert "adjusted on" not in (run.path / "report.html").read_text()


def test_calibration_rows_count_as_seen_where_another_table_holds_them(
    trained: Trained, tmp_path: Path
) -> None:
    run, table = trained.run, Path(trained.job["table"])
    frame = pd.read_parquet(table)
    own = tmp_path / "calibrated.parquet"
    frame[frame["part"] == "calibration"].to_parquet(own, index=False)
    report = ma.evaluate(str(run.path), own, out=tmp_path / "r.html", quiet=True)
    assert any("16 of 16 rows are rows that the model has learned" in f["what"]
               for f in report.findings)  # fmt: skip
    frame.loc[frame["part"] == "calibration", "load"] = 1.0  # no longer the rows it was fitted on
    held = table.read_bytes()
    frame.to_parquet(table, index=False)
    with pytest.raises(ma.RunError, match="no longer holds the rows"):
        ma.evaluate(str(run.path), quiet=True)
    table.write_bytes(held)


def test_check_looks_for_copies_of_test_rows_among_calibration_rows(
    parted: dict[str, Any],
) -> None:
    frame = pd.read_parquet(parted["table"])
    frame["batch"] = [f"b{i}" if p in ("train", "val") else f"c{i // 5}"
                      for i, p in enumerate(frame["part"])]  # fmt: skip
    frame.to_parquet(parted["table"], index=False)
    parted["columns"]["batch"] = {"type": "group"}
    found = ma.check(parted).findings
    assert any(f.where == "batch" and "share their batch with" in f.what for f in found)
    assert not any("in no part" in f.what for f in found)


def test_a_share_of_the_rows_calibrates_where_it_is_asked_for(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    split = {"by": "machine", "test": 0.25, "validation": 0.2, "calibration": 0.3}
    job = job_dict(small_table, columns=COLUMNS, split=split, calibrate={})
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    rows = json.loads((run.path / "report.json").read_text())["rows"]
    assert rows["calibration"] > 0
    assert run.stages["fault"].rows == rows["calibration"]


def test_sets_and_intervals_are_printed_and_their_coverage_is_in_the_report(
    trained: Trained,
) -> None:
    run, table = trained.run, trained.job["table"]
    answers = ma.predict(run, table, quiet=True)
    named = [c for c in answers if c.startswith("fault.p[")]
    sizes = [len(cell.split(" | ")) if cell else 0 for cell in answers["fault.set"]]
    single = [cell == own for cell, own in zip(answers["fault.set"], answers["fault"], strict=True)]
    assert (answers["fault.abstain"] != np.array(single)).all()
    assert set(sizes) <= set(range(len(named) + 1))
    assert (answers["life.low"] <= answers["life"]).all()
    width = answers["life.high"] - answers["life.low"]
    found = promises_of(run)["life"]
    assert isinstance(found, Thresholds)
    assert (found.method, found.every.rows) == ("residual", 16)
    assert width.to_numpy() == pytest.approx(2 * found.every.limit_K[0])
    report = Report.load(run.path / "report.json")
    said, test = report.calibrated, np.arange(len(answers)) % 5 == 3
    frame = pd.read_parquet(table)
    inside = frame["hours_left"].between(answers["life.low"], answers["life.high"])
    known = test & frame["hours_left"].notna()
    assert said["life"]["coverage"] == pytest.approx(inside[known].mean())
    assert said["life"]["source"] == "kept"
    held = [t in s.split(" | ") for t, s in
            zip(frame["fault_code"], answers["fault.set"], strict=True)]  # fmt: skip
    assert said["fault"]["coverage"] == pytest.approx(np.array(held)[test].mean())
    assert said["fault"]["size"] == pytest.approx(np.array(sizes)[test].mean())
    assert next(iter(said["fault"]["kinds"]))["missing"] == []
    assert "hold the truth, 90 % promised" in report.text()
    assert "What the answer promises" in (run.path / "report.html").read_text()
    alone = ma.predict(run, frame.head(1), quiet=True).iloc[0]
    batch = answers.iloc[0]
    assert alone["fault.set"] == batch["fault.set"]
    assert alone["life.low"] == pytest.approx(batch["life.low"], rel=1e-5)


def test_without_calibration_rows_the_rows_held_back_are_taken(
    parted: dict[str, Any], tmp_path: Path, no_lines: None
) -> None:
    job = without_calibration(parted) | {"calibrate": {"coverage": 0.8, "by": ["site"]}}
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    assert run.notes["calibrated_on"] == "validation"
    assert run.stages["fault"].rows == 16
    found = promises_of(run)["fault"]
    assert isinstance(found, Thresholds)
    assert (found.coverage, found.every.rows, found.by) == (0.8, 16, ("site",))
    page = (run.path / "report.html").read_text()
    assert "were not learned from, though they said when to stop" in page
    (first, *_) = Report.load(run.path / "report.json").calibrated["fault"]["kinds"]
    assert set(first["by"]) == {"site"}
