"""Adapters of a run: several beside one another, listed, switched, and merged exactly."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import modalloy as ma
from adapting import KIND, WAVES, job_of, trained, write_waves
from modalloy.cli import app
from modalloy.runs.adapters import adapters_of, told_adapters
from modalloy.runs.run import Run
from modalloy.runs.saving import add_part

pytest.importorskip("peft")


class Made(NamedTuple):
    """A plain run, one with an adapter, one with two, and the rows of the first."""

    run: Run
    one: Run
    two: Run
    rows: pd.DataFrame


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Adapted twice for all tests here."""
    folder = tmp_path_factory.mktemp("adapters")
    table = write_waves(folder / "waves.parquet")
    job = job_of(table, WAVES, KIND, calibrate={})
    run = trained(folder / "run", job)
    rows = pd.read_parquet(write_waves(folder / "new.parquet", rows=100, seed=1))
    rows["up"], rows["side"] = [-x for x in rows["up"]], [-x for x in rows["side"]]
    one = ma.adapt(run, rows, out=folder / "one", name="line3", rank=4, quiet=True)
    other = rows.assign(up=[2 * x + 1 for x in rows["up"]])
    two = ma.adapt(one, other, out=folder / "two", name="line4", budget_kb=12, quiet=True)
    return Made(run, one, two, rows)


def said(run: Run | Path, rows: pd.DataFrame, adapter: str | None = None) -> np.ndarray:
    """Probabilities of one class."""
    return ma.predict(run, rows, adapter=adapter, quiet=True)["kind.p[flat]"].to_numpy()


def test_each_answers_as_it_did_alone(made: Made) -> None:
    path, rows = made.two.path, made.rows
    assert adapters_of(made.two) == ["line3", "line4"]
    np.testing.assert_array_equal(said(path, rows, "none"), said(made.run.path, rows))
    np.testing.assert_array_equal(said(path, rows, "line3"), said(made.one.path, rows))
    np.testing.assert_array_equal(said(path, rows), said(path, rows, "line4"))
    assert np.abs(said(path, rows, "line3") - said(path, rows, "line4")).max() > 0.1
    assert ma.Predictor(path, adapter="line3").run.adapter == "line3"


def test_base_weights_stay_and_the_file_is_small(made: Made) -> None:
    assert made.two.sealed["model.safetensors"] == made.run.sealed["model.safetensors"]
    told = {a["name"]: a for a in told_adapters(made.two)}
    assert told["line3"]["method"] == "rslora"
    assert told["line3"]["kb"] < 200
    assert told["line3"]["rows"] == 60
    assert 2 < told["line4"]["kb"] <= 12
    assert [a["usual"] for a in told.values()] == [False, True]
    ranks = ma.load_run(made.two.path, adapter="line3").notes["adapted"]["ranks"]
    assert set(ranks["layers"].values()) <= {1, 2, 3, 4}
    assert "waves" in ranks["columns"]


def test_each_has_its_own_promises(made: Made) -> None:
    from modalloy.answer.promise import promises_of

    plain, three, four = (
        promises_of(ma.load_run(made.two.path, adapter=a)) for a in ("none", "line3", "line4")
    )
    assert plain == promises_of(made.run)
    assert three["kind"] != four["kind"]
    assert three["kind"] != plain["kind"]


def test_calibrating_changes_the_one_that_answers(made: Made, tmp_path: Path) -> None:
    table = write_waves(tmp_path / "c.parquet", rows=60, seed=9)
    new = ma.calibrate(made.two, table, out=tmp_path / "new", coverage=0.8)
    assert new.adapter == "line4"
    again = ma.load_run(new.path)
    assert again.stages == new.stages != made.two.stages
    for name in ("line3", "none"):
        before, after = (ma.load_run(p, adapter=name) for p in (made.two.path, new.path))
        assert before.stages == after.stages


def test_a_part_may_be_added_beside_it(made: Made) -> None:
    new = add_part(made.one, "index.bin", b"x")
    assert new.adapter == "line3"
    assert ma.load_run(new.path).part("index.bin") == b"x"


def test_plain_weights_leave_adapters_behind(made: Made, tmp_path: Path) -> None:
    new = ma.adapt(made.one, made.rows.iloc[::-1].assign(up=made.rows["up"].tolist()),
                   out=tmp_path / "new", method="head", quiet=True)  # fmt: skip
    assert new.adapter == ""
    assert adapters_of(ma.load_run(new.path)) == []
    told = [f["what"] for f in new.notes["adapted"]["said"]]
    assert "adapters of the old weights are left behind: line3" in told


def test_bad_names_get_a_sentence(made: Made, tmp_path: Path) -> None:
    with pytest.raises(ma.RunError, match=r"no adapter 'line5'; it has line3, line4. Did you mean"):
        ma.predict(made.two, made.rows, adapter="line5")
    with pytest.raises(ma.RunError, match="holds an adapter 'line3' already"):
        ma.adapt(made.two, made.rows, out=tmp_path / "x", name="line3")
    with pytest.raises(ma.RunError, match=r"'a\.b' cannot name an adapter"):
        ma.adapt(made.two, made.rows, out=tmp_path / "x", name="a.b")
    with pytest.raises(ma.RunError, match="it has none"):
        ma.load_run(made.run.path, adapter="line3")


def test_the_command_lists_them(made: Made) -> None:
    done = CliRunner().invoke(app, ["adapt", str(made.two.path), "--list"])
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].split()[:2] == ["line3", "rslora"]
    assert lines[1].endswith("(usual)")
    none = CliRunner().invoke(app, ["adapt", str(made.run.path), "--list"])
    assert "holds no adapter" in none.stdout
    without = CliRunner().invoke(app, ["adapt", str(made.run.path)])
    assert without.exit_code == 2
