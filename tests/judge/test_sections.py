"""A part of a report that fails is named and costs nothing else."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import modalloy as ma
from conftest import make_job, write_table
from modalloy.errors import RunError, TableError
from modalloy.judge.baselines import baselines
from modalloy.judge.report import Report
from modalloy.judge.sections import Sections, at_once, say_failed
from modalloy.report import judged, page, taskpage


def broken(*_: Any, **__: Any) -> Any:
    raise ValueError("shapes (2,) and (3,)\n do not match")


def test_a_failure_is_remembered_with_its_type_and_place(failing_parts: None) -> None:
    made = Sections()
    assert made.run("tasks", "its figures", lambda: 7, 0, task="fault") == 7
    assert made.run("tasks", "its figures", broken, 0, task="fault") == 0
    (failure,) = made.failed
    assert (failure["error"], failure["task"]) == ("ValueError", "fault")
    assert failure["trace"][-1].startswith("test_sections.py, line ")
    (said,) = say_failed(made.failed)
    assert said.startswith(
        "fault, its figures: ValueError: shapes (2,) and (3,) do not match (test"
    )


def test_a_users_mistake_is_said_without_its_type(failing_parts: None) -> None:
    def absent() -> None:
        raise TableError("parts.csv: no such file.")

    made = Sections()
    made.run("inputs", "shares of missing cells", absent, None)
    assert say_failed(made.failed) == ["shares of missing cells: parts.csv: no such file."]


def test_a_stop_is_never_swallowed_and_a_part_alone_raises() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Sections().run("tasks", "its figures", stop, None)
    with pytest.raises(ValueError, match="do not match"):
        at_once("tasks", "its figures", broken, None)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two tabular columns."""
    folder = tmp_path_factory.mktemp("sections")
    job = make_job(write_table(folder), columns=("load", "site"))
    job["train"]["epochs"] = 1
    return ma.train(job, out=folder / "run", quiet=True).path


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of it for a test to spoil."""
    return shutil.copytree(trained, tmp_path / "run")


def test_what_fails_stands_in_all_four_places_and_is_tried_again(
    run: Path, monkeypatch: pytest.MonkeyPatch, failing_parts: None
) -> None:
    whole = Report.load(run / "report.json")
    assert whole.failed == []
    with monkeypatch.context() as patch:
        patch.setattr(baselines, "judge", broken)
        patch.setattr(judged, "figures_for", broken)
        patch.setattr(page, "data_section", broken)
        (run / "report.json").unlink()
        report = ma.evaluate(run, quiet=True)
    assert report.tasks == whole.tasks
    assert report.subsets == whole.subsets
    said = "fault, its plots: ValueError: shapes (2,) and (3,) do not match"
    stored = json.loads((run / "report.json").read_text())["failed"]
    assert [f["part"] for f in stored if f["what"] == "its plots"] == ["figures", "figures"]
    for text in (report.text(), (run / "report.html").read_text(), (run / "card.md").read_text()):
        assert said in text.replace("\\", "")
        assert "gradient boosting on plain features: ValueError" in text
        assert "modalloy evaluate RUN" in text
        assert "the model is whole and usable" in text
    assert "could not be drawn" in (run / "report.html").read_text()
    again = ma.evaluate(run, quiet=True)
    assert again.failed == []
    assert again.baselines == whole.baselines
    assert again.before == whole.before
    assert "lacks" not in again.text()


def test_a_training_whose_report_cannot_be_written_says_what_writes_it(
    small_table: Path,
    job_dict: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = job_dict(small_table, columns=("load",))
    job["train"]["epochs"] = 1
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Report, "save", broken)
        with pytest.raises(RunError, match=r"trained and saved.*`modalloy evaluate .*run` writes"):
            ma.train(job, out=out, quiet=True)
    for resume in (False, True):
        with pytest.raises(RunError, match=r"without its report; `modalloy evaluate .*run` writes"):
            ma.train(job, out=out, resume=resume, quiet=True)
    assert len(ma.predict(out, small_table, quiet=True)) == 80
    report = ma.evaluate(out, quiet=True)
    assert report.failed == []
    assert report.before["fault"]["label"] == "before training"
    assert "gradient boosting on plain features" in report.baselines["fault"]
    with pytest.raises(RunError, match="holds a finished run; give"):
        ma.train(job, out=out, quiet=True)


def test_cells_that_cannot_be_counted_cost_no_run(
    small_table: Path,
    job_dict: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failing_parts: None,
) -> None:
    job = job_dict(small_table, columns=("load",), train={"epochs": 1})
    with monkeypatch.context() as patch:
        patch.setattr("modalloy.learn.train_run.count_cells", broken)
        run = ma.train(job, out=tmp_path / "run", quiet=True)
    assert run.notes["cells"] == {}
    assert ma.load_run(run.path).notes["cells"] == {}
    report = Report.load(run.path / "report.json")
    assert [f["part"] for f in report.failed] == ["cells"]
    assert "missing and unreadable cells of training" in report.text()
    ma.evaluate(run, str(small_table), out=tmp_path / "other.html", quiet=True)


def test_lines_of_an_older_recipe_are_made_anew(run: Path) -> None:
    state = json.loads((run / "report.json").read_text())
    whole = state["baselines"]
    del state["recipe"]
    state["baselines"] = {"fault": {"weak line": {"accuracy": 0.1}}}
    (run / "report.json").write_text(json.dumps(state))
    report = ma.evaluate(run, quiet=True)
    assert report.baselines == Report(baselines=whole).baselines
    assert report.recipe == baselines.RECIPE


def test_the_answers_failing_leaves_what_is_known_without_them(
    run: Path, monkeypatch: pytest.MonkeyPatch, failing_parts: None
) -> None:
    monkeypatch.setattr("modalloy.report.judging.answer_rows", broken)
    report = ma.evaluate(run, quiet=True)
    assert report.tasks == {}
    assert [f["part"] for f in report.failed] == ["answers"]
    assert report.rows["test"] > 0
    assert "answers to the test rows" in (run / "card.md").read_text()
    assert taskpage.OWN not in report.text()
