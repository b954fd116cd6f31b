"""What of a past design, found by a drawing or by words, would have to change."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from beams import BEAM
from typer.testing import CliRunner

import modalloy as ma
from conftest import make_job
from modalloy.cli import app
from modalloy.commands import design
from modalloy.errors import DesignError, TableError
from modalloy.job.job_file import load_job
from untrained import untrained

SIMULATOR = '''\
"""A bar that is drawn and described."""
from PIL import Image, ImageDraw

DENSITY = {"steel": 7850.0, "aluminium": 2700.0}
MODULUS = {"steel": 210e9, "aluminium": 70e9}


def simulate(values, *, seed, folder):
    width, height = values["width"] / 1000, values["height"] / 1000
    picture = Image.new("L", (32, 32), 255)
    corner = (2 + values["width"] / 2, 2 + values["height"] / 4)
    ImageDraw.Draw(picture).rectangle((2, 2, *corner), fill=90)
    picture.save(folder / "drawing.png")
    return {
        "mass": DENSITY[values["metal"]] * width * height,
        "deflection": 1e3 * 1000 / (3 * MODULUS[values["metal"]] * width * height**3 / 12),
        "drawing": "drawing.png",
        "note": f"a bar of {values['metal']}, {values['width']:.0f} wide",
    }
'''
COLUMNS: dict[str, Any] = {
    "width": {"type": "number"},
    "height": {"type": "number"},
    "metal": {"type": "category"},
    "drawing": {"type": "image", "pixels": 16, "augment": "none"},
    "note": {"type": "text", "max_tokens": 12, "vocabulary": 96},
}
TASKS = {n: {"type": "regress", "target": n} for n in ("mass", "deflection")}


class Made(NamedTuple):
    """A finished search, a run of rows of its twin, and these rows."""

    study: Path
    run: Path
    rows: pd.DataFrame
    folder: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("like")
    (folder / "bar.py").write_text(SIMULATOR)
    outputs = BEAM["outputs"] | {"drawing": {"type": "image"}, "note": {"type": "text"}}
    simulator = {"type": "python", "use": "bar.py:simulate"}
    twin = folder / "bar.yaml"
    twin.write_text(json.dumps({**BEAM, "outputs": outputs, "simulator": simulator}))
    table = folder / "rows.parquet"
    ma.simulate(str(twin), out=table, runs=32, workers=1, quiet=True)
    job = make_job(table, columns=()) | {
        "columns": COLUMNS,
        "tasks": TASKS,
        "split": {"random": "stratified", "test": 0.2},
    }
    run = untrained(folder / "run", table, job=load_job(job), steps=3)
    asked = {"minimise": ["mass"], "such_that": ["deflection <= 2 mm"], "confidence": 0.8}
    asked |= {"budget": 36, "planned": 24, "batch": 6, "proposals": 6}
    given = {"surrogate": "gaussian process", "workers": 1, "quiet": True}
    ma.design(str(twin), out=folder / "study", **asked, **given)
    return Made(folder / "study", run.path, pd.read_parquet(table), folder)


def slim(rows: pd.DataFrame) -> pd.Series:
    """A row that bends too much."""
    return rows[rows["deflection"] > 5.0].iloc[2]


@pytest.mark.parametrize("kind", ["image", "text"])
def test_the_row_most_like_a_drawing_or_a_text_is_changed(kind: str, made: Made) -> None:
    row = slim(made.rows)
    like = {"image": made.folder / row["drawing"]} if kind == "image" else {"text": row["note"]}
    found = ma.nearest_designs(made.study, run=made.run, **like)
    assert found
    for change in found:
        assert change.predicted["deflection"] <= 2.0
        assert change.changed
        for name, (before, after) in change.changed.items():
            assert before == row[name]
            assert after == change.values[name] != before
        assert all(
            change.values[n] == pytest.approx(row[n])
            for n in ("width", "height", "metal")
            if n not in change.changed
        )


def test_the_command_says_it_in_words(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(design, "take_cores", lambda: None)
    row = slim(made.rows)
    words = ["design", str(made.study), "--run", str(made.run)]
    drawn = CliRunner().invoke(app, [*words, "--image", str(made.folder / row["drawing"])])
    assert drawn.exit_code == 0, drawn.output
    before = {f"{n} {row[n]:.4g} -> " for n in ("width", "height")} | {f"metal {row['metal']} -> "}
    assert any(said in drawn.output for said in before)
    written = CliRunner().invoke(app, [*words, "--text", row["note"]])
    assert written.output == drawn.output
    neither = CliRunner().invoke(app, [*words, "-o", str(made.folder / "other")])
    assert neither.exit_code == 2
    assert "holds a finished search" in " ".join(neither.output.split())


def test_what_cannot_be_looked_for_gets_a_sentence(made: Made) -> None:
    with pytest.raises(TableError, match="there is no file"):
        ma.nearest_designs(made.study, run=made.run, image=made.folder / "absent.png")
    with pytest.raises(DesignError, match="or a run and what to look for in it"):
        ma.nearest_designs(made.study, {"width": 20.0}, run=made.run, text="a bar")
