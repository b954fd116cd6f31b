"""A window beside the rows that a run knows: what is said, since when, and what is refused."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import modalloy as ma
from conftest import make_job, write_table
from modalloy.answer.predictor import Predictor
from modalloy.cli import app
from modalloy.job.job_file import load_job
from modalloy.observing.kept import PART, reference_of, reference_to_bytes
from modalloy.runs.run import Run, load_run
from modalloy.runs.saving import add_part
from modalloy.table.open_table import open_table
from modalloy.watching.known import looked_up
from modalloy.watching.watch_run import in_time
from modalloy.watching.watched import Drift, Watched
from untrained import untrained

ROWS = 400
COLUMNS = ("load", "site", "note", "vibration")


class Made(NamedTuple):
    """A run of a table that is still there, and rows like those of the table."""

    run: Run
    table: Path
    new: pd.DataFrame


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Made once for all tests here; its weights were hardly trained."""
    folder = tmp_path_factory.mktemp("watched")
    table = write_table(folder, rows=ROWS, name="parts.csv")
    job = load_job(make_job(table, columns=COLUMNS, split={"random": "stratified"}))
    run = untrained(folder / "run", table, job=job, steps=20)
    run = add_part(run, PART, reference_to_bytes(looked_up(Predictor(run))))
    (folder / "new").mkdir()
    new = pd.read_csv(write_table(folder / "new", rows=300, seed=7, name="parts.csv"))
    return Made(run, table, new)


def watched(made: Made, new: pd.DataFrame, folder: Path, **options) -> Watched:
    """What is found in these rows."""
    new.to_csv(folder / "rows.csv", index=False)
    return ma.watch(made.run, folder / "rows.csv", out=folder / "page.html", **options)


def of(found: Watched, where: str) -> Drift:
    """The drift of a place."""
    return next(d for d in found.drifts if d.where == where)


def test_rows_like_those_of_training_have_not_drifted(made: Made, tmp_path: Path) -> None:
    found = watched(made, made.new, tmp_path)
    assert not found.drifted, found.text()
    assert found.tests > 10
    assert "nothing has drifted" in found.text()
    assert "at most 5 %" in found.text()
    assert all(e.trust == "well" for e in found.estimates if e.value is not None)


def test_a_unit_a_new_name_and_the_row_since_when(made: Made, tmp_path: Path) -> None:
    rows = made.new.assign(load=made.new["load"] * 1000)
    rows.loc[200:, "site"] = "east"
    found = watched(made, rows, tmp_path)
    load, site = of(found, "load"), of(found, "site")
    assert "1000 times as large" in load.said
    assert "kN" in load.said
    assert load.much == "large"
    assert load.since is None
    assert "names that training never had" in site.said
    assert "'east'" in site.said
    assert site.since is not None
    assert abs(site.since.row - 200) <= 3
    assert min(site.rows) >= 200
    page = (tmp_path / "page.html").read_text()
    assert "1000 times as large" in page
    assert page.count("<img") >= 3
    told = json.loads((tmp_path / "page.json").read_text())
    assert told["drifted"] is True
    assert {d["where"] for d in told["drifts"]} == {d.where for d in found.drifts}
    assert "with care" in found.text() or "cannot be told" in found.text()


def test_missing_cells_a_stuck_sensor_and_a_louder_one(made: Made, tmp_path: Path) -> None:
    rows = made.new.copy()
    rows.loc[rows.index[::2], "note"] = None
    rows.loc[100:, "load"] = 8.25
    loud = [json.dumps([3 * x for x in json.loads(v)]) if isinstance(v, str) else v
            for v in rows["vibration"]]  # fmt: skip
    found = watched(made, rows.assign(vibration=loud), tmp_path)
    assert "missing or unreadable" in of(found, "note").said
    assert "perhaps it is stuck" in of(found, "load").said
    assert "8.25" in of(found, "load").said
    assert any(d.where.startswith("vibration[") and d.of == "spread" for d in found.drifts)


def test_another_type_in_a_column_is_said(made: Made, tmp_path: Path) -> None:
    found = watched(made, made.new.assign(load="heavy"), tmp_path)
    assert "100.0 % of cells are missing or unreadable" in of(found, "load").said
    assert any("cannot be read" in c and "heavy" in c for c in found.caveats)


def test_labels_stand_beside_the_estimate(made: Made, tmp_path: Path) -> None:
    found = watched(made, made.new, tmp_path)
    own = {e.task: e for e in found.estimates}
    answers = Predictor(made.run).frame(made.new)["fault"]
    assert own["fault"].true == pytest.approx((answers == made.new["fault_code"]).mean())
    assert own["fault"].labelled == 300
    assert own["life"].figure == "mae"
    assert own["life"].trust == "cannot be told"  # it has no quantiles
    assert "no quantiles" in own["life"].why
    blind = watched(made, made.new.drop(columns=["fault_code", "hours_left"]), tmp_path)
    assert all(e.true is None for e in blind.estimates)
    assert {d.where for d in blind.drifts} == {d.where for d in found.drifts}


def test_labels_that_are_wrong_break_the_trust(made: Made, tmp_path: Path) -> None:
    swapped = made.new["fault_code"].map({"ok": "crack", "crack": "ok"})
    found = watched(made, made.new.assign(fault_code=swapped), tmp_path)
    assert of(found, "fault").kind == "right"
    assert found.estimates[0].trust == "cannot be told"
    assert found.estimates[0].value is None
    assert "labels show" in found.text()


def test_times_make_streams_and_dates(made: Made, tmp_path: Path) -> None:
    rows = made.new.copy()
    rows.loc[240:, "load"] += 6.0
    shuffled = rows.sample(frac=1.0, random_state=3)
    found = watched(made, shuffled, tmp_path, time="taken_at")
    drift = of(found, "load")
    assert drift.since is not None
    assert pd.Timestamp(drift.since.when) >= pd.Timestamp(rows["taken_at"][230])
    assert any("no time" in note for note in watched(made, shuffled, tmp_path).notes)


def test_few_rows_and_one_constant_get_a_sentence(made: Made, tmp_path: Path) -> None:
    two = watched(made, made.new.iloc[:2], tmp_path)
    assert two.tests == 0
    assert "too few rows to tell" in two.text()
    same = watched(made, pd.concat([made.new.iloc[:1]] * 40), tmp_path)
    assert same.drifted
    assert same.looked == 40


def test_at_most_so_many_rows_are_looked_at(made: Made, tmp_path: Path) -> None:
    found = watched(made, made.new, tmp_path, rows=60)
    assert (found.looked, found.rows) == (60, 300)
    assert "60 of 300 rows" in found.text()


@pytest.mark.parametrize(
    ("columns", "options", "said"),
    [
        (["taken_at", "machine"], {}, "none of the columns this model reads"),
        (None, {"time": "nope"}, "nope"),
        (None, {"time": "site"}, "site"),
        (None, {"rows": 0}, "at least 1"),
    ],
)
def test_bad_input_gets_a_sentence(
    columns: list[str] | None, options: dict, said: str, made: Made, tmp_path: Path
) -> None:
    rows = made.new if columns is None else made.new[columns]
    with pytest.raises(ma.TableError, match=said):
        watched(made, rows, tmp_path, **options)
    assert not (tmp_path / "page.html").exists()


def test_a_window_without_rows_is_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(ma.TableError, match="row"):
        watched(made, made.new.iloc[:0], tmp_path)


def test_without_its_table_a_run_compares_with_what_it_keeps(made: Made, tmp_path: Path) -> None:
    moved = made.table.rename(made.table.with_name("gone.csv"))
    try:
        assert not watched(made, made.new, tmp_path).drifted
        bare = untrained(tmp_path / "bare", moved, job=load_job(make_job(moved)))
        gone = load_run(bare.path)
        object.__setattr__(gone.job, "table", str(tmp_path / "never.csv"))
        with pytest.raises(ma.RunError, match="keeps nothing of its rows"):
            ma.watch(gone, made.new, out=tmp_path / "page.html")
    finally:
        moved.rename(made.table)


def test_a_run_that_keeps_nothing_looks_at_its_table(made: Made, tmp_path: Path) -> None:
    job = load_job(make_job(made.table, columns=("load", "site")))
    bare = untrained(tmp_path / "bare", made.table, job=job)
    assert reference_of(bare) is None
    found = ma.watch(bare, made.new, out=tmp_path / "page.html")
    assert any("looked at anew" in note for note in found.notes)


def test_the_command_prints_sentences_and_may_end_with_3(made: Made, tmp_path: Path) -> None:
    made.new.assign(load=made.new["load"] + 9.0).to_csv(tmp_path / "rows.csv", index=False)
    words = ["watch", str(made.run.path), "--table", str(tmp_path / "rows.csv")]
    done = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "w.html"), "--strict"])
    assert done.exit_code == 3, done.output
    assert "load: higher, median" in done.output
    assert "w.html; open it in a browser" in done.output
    assert np.isfinite(json.loads((tmp_path / "w.json").read_text())["drifts"][0]["size"])


def test_times_that_cannot_be_read_order_nothing_unless_they_were_asked_for() -> None:
    table = open_table(pd.DataFrame({"day": ["2024-05-02", "soon", "2024-05-01"]}))
    job: Any = SimpleNamespace(columns={}, split=SimpleNamespace(time="day"))
    predictor: Any = SimpleNamespace(run=SimpleNamespace(job=job))
    which, when = in_time(predictor, table, np.arange(3), None)
    assert (which.tolist(), when) == ([0, 1, 2], None)
    with pytest.raises(ma.TableError, match="'soon' is no date"):
        in_time(predictor, table, np.arange(3), "day")
