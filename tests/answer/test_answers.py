"""One row answers as inside a batch; a missing cell answers the same beside any neighbour."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import modalloy as ma
from conftest import make_job, write_table
from modalloy.answer.answers import EVERYTHING
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.errors import JobError, RunError, TableError
from modalloy.judge.report import Report
from modalloy.runs.run import Run
from modalloy.table.table import open_table


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """A run over every kind of column, and its table."""
    folder = tmp_path_factory.mktemp("answers")
    table = write_table(folder)
    job = make_job(table, fuse={"type": "attention", "width": 16, "layers": 1, "heads": 2})
    return ma.train(job | {"blend": {}}, out=folder / "run", quiet=True), table


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """A run over three columns whose network answers alone, which is evaluated sooner."""
    folder = tmp_path_factory.mktemp("plain")
    table = write_table(folder)
    job = make_job(table, columns=("load", "site", "note"))
    return ma.train(job, out=folder / "run", quiet=True), table


def test_a_row_alone_answers_as_in_a_batch(trained: tuple[Run, Path]) -> None:
    run, table = trained
    loader = Loader(open_table(table), run.job, run.readers, {})
    model = run.model()
    which = np.arange(24)
    together = answer_rows(model, loader, which).seen[EVERYTHING]
    for row in (0, 3, 11, 13, 19):  # some of them lack cells
        alone = answer_rows(model, loader, np.array([row])).seen[EVERYTHING]
        for task in together:
            for key, value in together[task].items():
                np.testing.assert_allclose(alone[task][key][0], value[row], rtol=1e-4, atol=1e-5)


def test_a_missing_cell_answers_the_same_beside_any_neighbour(trained: tuple[Run, Path]) -> None:
    run, table = trained
    model = run.model()
    loader = Loader(open_table(table), run.job, run.readers, {})
    for neighbours in ([3, 0, 1], [3, 40, 41, 42]):
        found = answer_rows(model, loader, np.array(neighbours)).seen[EVERYTHING]
        alone = answer_rows(model, loader, np.array([3])).seen[EVERYTHING]
        np.testing.assert_allclose(
            found["fault"]["probability"][0], alone["fault"]["probability"][0], rtol=1e-4, atol=1e-5
        )


def test_hiding_an_input_equals_its_cells_missing(trained: tuple[Run, Path]) -> None:
    run, table = trained
    frame = pd.read_parquet(table).head(12)
    model = run.model()
    full = Loader(open_table(frame, folder=table.parent), run.job, run.readers, {})
    hidden = frozenset({"photo", "note"})
    a = answer_rows(model, full, np.arange(12), hidden=[hidden]).seen[hidden]
    frame = frame.assign(photo=None, note=None)
    less = Loader(open_table(frame, folder=table.parent), run.job, run.readers, {})
    b = answer_rows(model, less, np.arange(12)).seen[EVERYTHING]
    np.testing.assert_allclose(a["life"]["value"], b["life"]["value"], rtol=1e-4, atol=1e-3)


def test_inputs_not_asked_for_are_as_though_hidden(trained: tuple[Run, Path]) -> None:
    run, table = trained
    model, which = run.model(), np.arange(12)
    loader = Loader(open_table(table), run.job, run.readers, {})
    asked = ["note", "table"]
    hidden = frozenset(model.inputs) - set(asked)
    wanted = answer_rows(model, loader, which, hidden=[hidden]).seen[hidden]
    fresh = Loader(open_table(table), run.job, run.readers, {})
    found = answer_rows(model, fresh, which, inputs=asked).seen[EVERYTHING]
    np.testing.assert_allclose(found["life"]["value"], wanted["life"]["value"], rtol=1e-5)
    assert not any(len(fresh.status[name]) for name in ("photo", "sound", "vibration"))
    assert len(fresh.status["note"])  # one cell is missing
    with pytest.raises(JobError, match="no input 'notes'"):
        answer_rows(model, loader, which, inputs=["notes"])


def test_a_missing_column_and_an_unseen_category_are_said(trained: tuple[Run, Path]) -> None:
    run, table = trained
    frame = pd.read_parquet(table).head(5).drop(columns=["vibration", "photo", "sound", "note"])
    frame["site"] = "moon"
    said = ma.predict(run, frame, quiet=True)
    assert (said["status.vibration"] == "missing").all()
    assert (said["status.note"] == "missing").all()
    assert said["status.site"].str.startswith("unknown").all()
    assert np.isfinite(said["life"]).all()
    with pytest.raises(TableError, match="none of the columns"):
        ma.predict(run, pd.DataFrame({"other": [1]}), quiet=True)


def test_an_infinite_number_is_named_and_answers_like_a_missing_one(
    trained: tuple[Run, Path],
) -> None:
    run, table = trained
    frame = pd.read_parquet(table).head(6)
    frame["load"] = [np.inf, np.nan, 8.0, -np.inf, None, 9.0]
    for column in ("photo", "sound"):
        frame[column] = None
    said = ma.predict(run, frame, quiet=True)
    assert said["status.load"].tolist() == [
        "unreadable: inf is no finite number", "missing", "ok",
        "unreadable: -inf is no finite number", "missing", "ok",
    ]  # fmt: skip
    load = frame["load"].where(np.isfinite(frame["load"]))
    blank = ma.predict(run, frame.assign(load=load), quiet=True)
    less = ma.predict(run, frame.drop(columns="load"), quiet=True)
    assert set(less["status.load"]) == {"missing"}
    assert said["life"].tolist() == blank["life"].tolist()


def test_a_task_called_row_leaves_the_row_numbers(trained: tuple[Run, Path]) -> None:
    run, table = trained
    frame = pd.read_parquet(table).head(9).drop(columns=["photo", "sound"])
    assert ma.predict(run, frame, rows=slice(4, 7), quiet=True)["row"].tolist() == [4, 5, 6]
    job = {
        "table": str(table),
        "split": {"by": "machine"},
        "columns": {"load": {"type": "number", "bins": 4}},
        "fuse": {"type": "concat", "width": 8, "layers": 1},
        "tasks": {"row": {"type": "regress", "target": "hours_left"}},
        "train": {"epochs": 1, "precision": "float32"},
    }
    other = ma.train(job, out=run.path.parent / "row", quiet=True)
    found = ma.predict(other, frame, rows=slice(4, 7), quiet=True)
    assert found["row.number"].tolist() == [4, 5, 6]
    assert found["row"].between(-200, 300).all()
    assert found["row"].nunique() > 1
    own = ["row.number", "row", "row.low", "row.high"]
    unlike = ["unlike", "unlike.score", "unlike.column"]
    assert list(found) == [*own, *unlike, "status.load"]


SLICES = [
    slice(0, 0), slice(5, 2), slice(99, None), slice(None), slice(None, None, -1), slice(-3, None),
    slice(10, 2, -3), slice(70, 1000), slice(-1000, 2), slice(3, 30, 9),
]  # fmt: skip


@pytest.mark.parametrize("some", SLICES, ids=str)
def test_every_slice_answers_the_rows_that_it_picks(trained: tuple[Run, Path], some: slice) -> None:
    run, table = trained
    plain = pd.read_parquet(table).drop(columns=["photo", "sound"])
    whole = ma.predict(run, plain, quiet=True)
    found = ma.predict(run, plain, rows=some, quiet=True)
    assert found["row"].tolist() == list(range(80))[some]
    pd.testing.assert_series_equal(found.dtypes, whole.dtypes)
    expected = whole.iloc[some].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_no_row_is_written_with_its_columns(
    trained: tuple[Run, Path], tmp_path: Path, ending: str
) -> None:
    run, table = trained
    out = tmp_path / f"none.{ending}"
    found = ma.predict(run, table, rows=slice(0, 0), out=out, quiet=True)
    back = pd.read_csv(out) if ending == "csv" else pd.read_parquet(out)
    assert len(back) == 0
    assert list(back) == list(found)


def test_a_verb_leaves_the_threads_of_the_caller(plain: tuple[Run, Path], tmp_path: Path) -> None:
    run, table = plain
    torch.set_num_threads(3)
    ma.predict(run, table, rows=slice(0, 2), quiet=True)
    ma.evaluate(run, table, out=tmp_path / "page.html", quiet=True)
    ma.train(make_job(table, columns=("load",)), out=tmp_path / "run", quiet=True)
    assert torch.get_num_threads() == 3


def test_answers_are_written_and_read_back(trained: tuple[Run, Path], tmp_path: Path) -> None:
    run, table = trained
    frame = ma.predict(run, table, out=tmp_path / "a.parquet", rows=slice(0, 7), quiet=True)
    back = pd.read_parquet(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(frame, back)
    ma.predict(run, table, out=tmp_path / "a.csv", rows=slice(0, 7), quiet=True)
    assert len(pd.read_csv(tmp_path / "a.csv")) == 7
    with pytest.raises(TableError, match="parquet"):
        ma.predict(run, table, out=tmp_path / "a.doc", rows=slice(0, 1), quiet=True)


def test_a_run_that_was_tampered_with_is_refused(plain: tuple[Run, Path], tmp_path: Path) -> None:
    run, _ = plain
    copy = tmp_path / "copy"
    shutil.copytree(run.path, copy)
    again = ma.load_run(copy).model()
    for (name, a), b in zip(
        run.model().state_dict().items(), again.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b), name
    schema = (copy / "schema.json").read_text()
    (copy / "schema.json").write_text(schema.replace("crack", "crock", 1))
    with pytest.raises(RunError, match=r"schema\.json"):
        ma.load_run(copy)
    (copy / "report.json").write_text('{"rows"')
    (copy / "schema.json").write_text(schema)
    assert ma.evaluate(copy, quiet=True).baselines["fault"]  # a damaged report is made anew
    seal = (copy / "run.json").read_text()
    for damaged in ("[]", "{}", '{"sha256": {}, "notes": {}}', seal[:40]):
        (copy / "run.json").write_text(damaged)
        with pytest.raises(RunError, match=r"run"):
            ma.load_run(copy)
    (copy / "run.json").unlink()
    with pytest.raises(RunError, match=r"no run\.json"):
        ma.load_run(copy)
    (copy / "run.json").write_text(seal)
    (copy / "schema.json").unlink()
    with pytest.raises(RunError, match="missing"):
        ma.load_run(copy)
    with pytest.raises(RunError, match="no such run"):
        ma.load_run(tmp_path / "nowhere")


def test_evaluate_again_and_on_another_table(trained: tuple[Run, Path], tmp_path: Path) -> None:
    run, table = trained
    own = ma.evaluate(run, out=tmp_path / "own.html", quiet=True)
    assert own.baselines["fault"]
    assert own.rows == Report.load(run.path / "report.json").rows
    other = ma.evaluate(run, table, out=tmp_path / "other.html", quiet=True)
    assert other.rows == {"test": 80}
    crack = (pd.read_parquet(table)["fault_code"] == "crack").sum()
    assert other.about["fault"]["rarer"] == ("crack" if crack < 40 else "ok")
    north = other.slices["fault"]["site"]["north"]
    assert north["values"] == 3
    assert north["interval"]["accuracy"][0] <= north["accuracy"]
    text = (tmp_path / "own.html").read_text()
    assert "What early stopping looks at" in text
    assert f"of &#x27;{own.about['fault']['rarer']}&#x27;, the rarer class" in text
    assert (tmp_path / "other.html").is_file()
    assert (tmp_path / "other.json").is_file()


def test_a_text_column_of_numbers_reads_as_text(trained: tuple[Run, Path]) -> None:
    run, table = trained
    frame = pd.read_parquet(table).head(4)
    as_text = ma.predict(run, frame.assign(note=["12", "7", "12", "345"]), quiet=True)
    as_number = ma.predict(run, frame.assign(note=[12, 7, 12, 345]), quiet=True)
    pd.testing.assert_frame_equal(as_text, as_number)


def test_rows_that_were_learned_from_are_named(trained: tuple[Run, Path], tmp_path: Path) -> None:
    run, table = trained
    rows = Report.load(run.path / "report.json").rows
    every = ma.evaluate(run, table, out=tmp_path / "all.html", quiet=True)
    (leak,) = every.findings
    assert leak["level"] == "leak"
    assert leak["count"] == rows["train"] + rows["validation"]
    assert "Do not trust these figures" in (tmp_path / "all.html").read_text()
    new = pd.read_parquet(table).assign(load=np.linspace(50.0, 60.0, 80))
    page = tmp_path / "new.html"
    beside = open_table(new, folder=table.parent)
    assert ma.evaluate(run, beside, out=page, quiet=True).findings == []
    elsewhere = ma.evaluate(run, new, out=page, quiet=True)  # relative paths start somewhere else
    assert [f["where"] for f in elsewhere.findings] == ["photo", "sound"]
    assert "Do not trust" not in page.read_text()


def test_a_table_with_one_target_is_enough(plain: tuple[Run, Path], tmp_path: Path) -> None:
    run, table = plain
    frame = pd.read_parquet(table)
    less = frame.drop(columns=["hours_left", "machine", "site", "note"])
    report = ma.evaluate(run, less, out=tmp_path / "less.html", quiet=True)
    assert 0.0 <= report.tasks["fault"]["accuracy"] <= 1.0
    assert not [k for k in report.tasks["life"] if k != "interval"]
    assert report.inputs["note"]["missing"] == 1.0
    with pytest.raises(TableError, match=r"no row has an answer.*'fault_code', 'hours_left'"):
        ma.evaluate(run, less.drop(columns="fault_code"), out=tmp_path / "n.html", quiet=True)


def test_a_table_that_has_grown_is_refused(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    run = ma.train(make_job(table, columns=("load", "site")), out=tmp_path / "run", quiet=True)
    before = (tmp_path / "run" / "report.json").read_bytes()
    frame = pd.read_parquet(table)
    pd.concat([frame, frame.head(9)], ignore_index=True).to_parquet(table)
    with pytest.raises(RunError, match="no longer holds the rows"):
        ma.evaluate(run, quiet=True)
    assert (tmp_path / "run" / "report.json").read_bytes() == before
    frame.assign(hours_left=frame["hours_left"] + 1.0).to_parquet(table)  # an answer was mended
    assert ma.evaluate(run, quiet=True).rows == run_rows(before)


def run_rows(report: bytes) -> dict[str, int]:
    """The rows by use that a report's file says."""
    return json.loads(report)["rows"]


def test_a_run_names_the_table_it_was_trained_on(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    columns = ("load", "site")
    job = ma.load_job(make_job(table, columns=columns))
    frame = pd.read_parquet(table).assign(load=np.linspace(0.0, 1.0, 80))
    run = ma.train(job, out=tmp_path / "frame", table=frame, quiet=True)
    assert ma.load_run(run.path).job.table == "<frame>"
    assert "in memory, which was not kept" in (run.path / "card.md").read_text()
    with pytest.raises(RunError, match="trained on a frame in memory; give the table"):
        ma.evaluate(run, quiet=True)
    frame.to_parquet(tmp_path / "other.parquet")
    again = ma.train(job, out=tmp_path / "path", table=str(tmp_path / "other.parquet"), quiet=True)
    assert again.job.table == str(tmp_path / "other.parquet")
    assert ma.evaluate(again, quiet=True).rows == Report.load(again.path / "report.json").rows
    opened = ma.train(job, out=tmp_path / "open", table=open_table(table), quiet=True)
    assert opened.job.table == str(table)
