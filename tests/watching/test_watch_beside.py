"""Two runs of one number by other columns: where they part, since when, by how much, and who."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import modalloy as ma
from adapting import job_of, trained
from modalloy.cli import app
from modalloy.runs.run import Run
from modalloy.watching.watched import Watched

TASKS = {"depth": {"type": "regress", "target": "depth", "unit": "mm"}}
ONSET, FALL = 150, 0.6


class Made(NamedTuple):
    """Runs that know what is set, and what is seen; their table."""

    sets: Run
    sees: Run
    table: Path


def plant(rows: int, *, seed: int, fall: float = 0.0) -> pd.DataFrame:
    """A depth that follows what is set and what nobody sets, and a picture's brightness that shows
    it. From row `ONSET` on the part that nobody sets is less by `fall`."""
    draw = np.random.default_rng(seed)
    power, unseen = draw.uniform(-1, 1, rows), draw.normal(0, 0.3, rows)
    unseen[ONSET:] -= fall
    depth = 5.0 + power + unseen
    frame = pd.DataFrame({"power": power, "bright": depth + draw.normal(0, 0.05, rows)})
    frame["depth"] = depth
    frame["part"] = np.array(["train", "train", "test", "val"])[np.arange(rows) % 4]
    return frame


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Made once for all tests here."""
    folder = tmp_path_factory.mktemp("beside")
    table = folder / "old.csv"
    plant(320, seed=0).to_csv(table, index=False)
    number = {"type": "number", "bins": 8}
    runs = [
        trained(folder / name, job_of(table, {column: number}, TASKS))
        for name, column in (("sets", "power"), ("sees", "bright"))
    ]
    return Made(*runs, table)


def watched(made: Made, rows: pd.DataFrame, folder: Path, **options: Any) -> Watched:
    """What is found in rows beside the run that sees."""
    given = {"out": folder / "page.html", "beside": made.sees} | options
    return ma.watch(made.sets, rows, **given)


def test_rows_of_the_same_plant_agree(made: Made, tmp_path: Path) -> None:
    found = watched(made, plant(120, seed=1).drop(columns="depth"), tmp_path)
    assert not [d for d in found.drifts if d.kind == "beside"]
    assert "depth: answers differ from those of run sees as on 160 rows" in found.text()
    assert "one in 1,000 raises an alarm" in (tmp_path / "page.html").read_text()
    assert json.loads((tmp_path / "page.json").read_text())["agreed"] == [*found.agreed]


def test_a_change_that_no_setting_shows_is_told_without_labels(made: Made, tmp_path: Path) -> None:
    rows = plant(300, seed=2, fall=FALL).drop(columns="depth")
    assert not ma.watch(made.sets, rows, out=tmp_path / "alone.html").drifted
    found = watched(made, rows, tmp_path)
    drift = next(d for d in found.drifts if d.kind == "beside")
    assert (drift.where, drift.of) == ("depth", "beside sees")
    assert drift.since is not None
    assert drift.noticed is not None
    assert ONSET - 60 <= drift.since.row <= ONSET + 5  # a sum's last zero may come early
    assert ONSET < drift.noticed.row <= ONSET + 25
    more = float(drift.said.split("average ")[1].split(" mm")[0])
    assert 0.7 * FALL < more < 1.1 * FALL
    assert "above those of run sees" in drift.said
    assert f"since row {drift.since.row}, noticed at row {drift.noticed.row}" in drift.said
    assert "one of both no longer says what it did: compare with measured parts" in drift.said
    assert drift.chance < 0.01
    assert not found.agreed
    kept = json.loads((tmp_path / "page.json").read_text())["drifts"]
    assert kept[0]["noticed"]["row"] == drift.noticed.row
    page = (tmp_path / "page.html").read_text()
    assert "no longer says what it did" in page
    assert "Row after row" in page


def test_labels_say_which_of_both_errs(made: Made, tmp_path: Path) -> None:
    found = watched(made, plant(300, seed=2, fall=FALL), tmp_path)
    said = next(d.said for d in found.drifts if d.kind == "beside")
    assert "labelled rows since then this run errs by" in said
    own, other = (
        float(said.split(w)[1].split(" mm")[0]) for w in ("errs by ", "average, sees by ")
    )
    assert own > 0.4
    assert other < 0.15


def test_an_adapted_run_is_compared_on_rows_that_are_named(made: Made, tmp_path: Path) -> None:
    dirty = plant(460, seed=3, fall=FALL)[ONSET:]
    moved = ma.adapt(made.sets, dirty[:150], out=tmp_path / "moved", method="full", quiet=True)
    now = plant(270, seed=4, fall=FALL)[ONSET:].drop(columns="depth")
    pair = made._replace(sets=moved)
    with pytest.raises(ma.RunError, match=r"was adapted after its training.*--usual"):
        watched(pair, now, tmp_path)
    assert not (tmp_path / "page.html").exists()
    found = watched(pair, now, tmp_path, usual=dirty)
    assert not [d for d in found.drifts if d.kind == "beside"], found.text()
    assert "as on 160 rows" not in found.text()  # rows that it has learned from are left out
    clean = watched(pair, plant(120, seed=5), tmp_path, usual=dirty)
    assert [d for d in clean.drifts if d.kind == "beside"]


def test_the_command_tells_it_and_may_end_with_3(made: Made, tmp_path: Path) -> None:
    plant(300, seed=2, fall=FALL).to_csv(tmp_path / "new.csv", index=False)
    words = ["watch", str(made.sets.path), "--table", str(tmp_path / "new.csv"), "--strict"]
    words += ["--beside", str(made.sees.path), "-o", str(tmp_path / "page.html")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 3, done.output
    assert "noticed at row" in done.output
    again = CliRunner().invoke(app, [*words, "--usual", str(tmp_path / "new.csv")])
    assert again.output != done.output


def test_what_cannot_be_compared_gets_a_sentence(made: Made, tmp_path: Path) -> None:
    rows = plant(60, seed=6)
    with pytest.raises(ma.RunError, match="both see the same"):
        watched(made, rows, tmp_path, beside=made.sets)
    with pytest.raises(ma.RunError, match=r"5 rows were learned from neither.*--usual"):
        watched(made, rows, tmp_path, usual=plant(5, seed=7))
    with pytest.raises(ma.TableError, match="name the other with beside"):
        ma.watch(made.sets, rows, out=tmp_path / "page.html", usual=rows)
    sides = pd.read_csv(made.table).assign(kind=lambda f: np.where(f["depth"] > 5, "deep", "flat"))
    sides.to_csv(tmp_path / "sides.csv", index=False)
    kind = {"kind": {"type": "classify", "target": "kind"}}
    job = job_of(tmp_path / "sides.csv", {"power": {"type": "number"}}, kind)
    short = job["train"] | {"epochs": 1}
    other = trained(tmp_path / "kinds", job | {"train": short})
    with pytest.raises(ma.RunError, match=r"answers no number that sets answers too.*kind"):
        watched(made, rows, tmp_path, beside=other)
    assert not (tmp_path / "page.html").exists()
