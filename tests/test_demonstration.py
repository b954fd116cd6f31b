"""The demo writes a table, trains, answers, says its licence once, and deletes nothing of yours."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from modalloy import demonstration
from modalloy.demonstration import LICENCE, MARK, run_demo, write_table
from modalloy.errors import JobError, RunError
from modalloy.job.job_file import load_job

CELLS = 96
SMALL = {
    "columns": {
        "picture": {"type": "image", "pixels": 16, "augment": "none"},
        "cell_type": {"type": "category"},
    },
    "fuse": {"type": "concat", "width": 16},
    "train": {"epochs": 1, "batch": 32, "precision": "float32"},
    "blend": {"use": "never"},
}


@pytest.fixture
def _cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package `elpv_dataset` of 96 pictures of noise, the defective ones darker."""
    data = tmp_path / "packages" / "elpv_dataset" / "data"
    (data / "images").mkdir(parents=True)
    (data.parent / "__init__.py").write_text("")
    draw = np.random.default_rng(0)
    lines = []
    for i in range(CELLS):
        level = i % 4
        grey = draw.normal(160 - 35 * level, 20, (24, 24)).clip(0, 255).astype(np.uint8)
        Image.fromarray(grey).save(data / "images" / f"cell{i:04d}.png")
        chance = ("0.0", "0.3333333333333333", "0.6666666666666666", "1.0")[level]
        lines.append(f"images/cell{i:04d}.png  {chance}   {'mono' if i % 8 < 4 else 'poly'}\n")
    (data / "labels.csv").write_text("".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))


@pytest.mark.usefixtures("_cells")
def test_the_table_has_a_quarter_of_each_type_and_level_to_test(tmp_path: Path) -> None:
    path = write_table(tmp_path / "data")
    table = pd.read_csv(path)
    assert len(table) == CELLS
    assert all((path.parent / name).is_file() for name in table.picture)
    shares = table.assign(test=table.split.eq("test"))
    shares = shares.groupby(["cell_type", "defect_class"]).test.agg(["sum", "size"])
    assert shares.to_numpy().tolist() == [[3, 12]] * 8
    levels = table.groupby("defect_class").agg(
        chance=("defect_probability", "first"), defective=("defective", "first")
    )
    assert levels.to_dict("index") == {
        "functional": {"chance": 0.0, "defective": "functional"},
        "possibly defective": {"chance": 0.3333, "defective": "functional"},
        "likely defective": {"chance": 0.6667, "defective": "defective"},
        "defective": {"chance": 1.0, "defective": "defective"},
    }
    again = pd.read_csv(write_table(tmp_path / "again"))
    pd.testing.assert_frame_equal(table, again)


@pytest.mark.usefixtures("_cells")
def test_a_demo_says_its_licence_once_and_replaces_only_its_own_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demonstration, "JOB", demonstration.JOB | SMALL)
    out = tmp_path / "demo"
    for _ in range(2):  # the second replaces the first
        run = run_demo(out, quiet=True)
        said = capsys.readouterr().out
        assert said.count("CC BY-NC-SA 4.0") == said.count(LICENCE) == 1
        assert "published: 88.42 %" in said
        assert "their split is not published" in said
        assert run.path == out / "run"
        assert (run.path / "report.html").is_file()
        assert len(pd.read_csv(out / "answers.csv")) == 10


def test_the_demos_own_job_is_valid() -> None:
    job = load_job({"table": "cells.csv", **demonstration.JOB})
    assert list(job.tasks) == ["defect", "severity"]


@pytest.mark.usefixtures("_cells")
def test_a_folder_that_the_demo_did_not_make_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "work"
    (out / "run").mkdir(parents=True)
    mine = {"run/run.json": "{}", "run/model.safetensors": "weeks", "answers.csv": "row\n"}
    for name, text in mine.items():
        (out / name).write_text(text)
    for place in (out, Path()):
        monkeypatch.chdir(out)
        with pytest.raises(RunError, match=r"did not make.*modalloy demo -o FOLDER"):
            run_demo(place, quiet=True)
    found = {str(p.relative_to(out)): p.read_text() for p in out.rglob("*") if p.is_file()}
    assert found == mine
    with pytest.raises(RunError, match="did not make"):
        run_demo(out / "answers.csv", quiet=True)


def test_a_demo_that_stopped_early_can_begin_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for _ in range(2):
        with pytest.raises(JobError, match="modalloy\\[demo\\]"):
            run_demo(tmp_path / "demo", quiet=True)
    assert [p.name for p in (tmp_path / "demo" / "run").iterdir()] == [MARK]
