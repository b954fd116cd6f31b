"""`draw` end to end: a pretrained run in, cells and a contact sheet out; bad requests in words."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

import modalloy as ma
from conftest import make_job, write_table
from modalloy.cli import app

SMALL = {"width": 16, "layers": 1, "components": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table, and a run that learned to draw all that can be drawn of it."""
    folder = tmp_path_factory.mktemp("drawn")
    table = write_table(folder)
    job = make_job(table, columns=("photo", "vibration", "sound", "load"))
    job["pretrain"] = {"masked": {"weight": 0}, "autoregress": SMALL, "epochs": 1}
    ma.pretrain(job, out=folder / "run", quiet=True)
    return folder


def draw(folder: Path, **asked: Any) -> Any:
    return ma.draw(folder / "run", **({"rows": 3, "each": 2} | asked))


@pytest.mark.parametrize(
    ("column", "shape"), [("photo", (1, 16, 16)), ("vibration", (1, 32)), ("sound", (32, 13))]
)
def test_cells_are_drawn_from_nothing_like_rows_and_as_their_end(
    folder: Path, column: str, shape: tuple[int, ...]
) -> None:
    table = folder / "parts.parquet"
    free = draw(folder, column=column)
    assert [len(draws) for draws in free.samples] == [2, 2, 2]
    assert free.samples[0][0].shape == shape
    assert free.drawn.given == [None] * 3
    like = draw(folder, column=column, like=table)
    assert not np.array_equal(like.expected[0], free.expected[0])
    ended = draw(folder, column=column, like=table, complete=0.5)
    assert ended.drawn.seen_R[0] > 0
    assert not np.array_equal(ended.expected[0], like.expected[0])


def test_headings_are_found_as_predict_finds_them_and_what_lacks_is_said(folder: Path) -> None:
    loads = [4.0, 20.0]
    found = draw(folder, like=pd.DataFrame({"load": loads}), rows=2)
    other = draw(folder, like=pd.DataFrame({" Load": loads}), rows=2)
    assert np.array_equal(found.expected[1], other.expected[1])
    assert any("load: read from the column ' Load'" in note for note in other.notes)
    assert any(note.startswith("photo: absent in") for note in found.notes)
    assert draw(folder).notes == draw(folder, like=folder / "parts.parquet").notes == ()
    pd.DataFrame({"load": loads}).to_csv(folder / "loads.csv", index=False)
    args = ["draw", str(folder / "run"), "--like", str(folder / "loads.csv"), "--rows", "2"]
    said = CliRunner().invoke(app, [*args, "-o", str(folder / "a.png")])
    assert "note: photo: absent in" in said.output


def test_each_option_changes_what_is_drawn(folder: Path) -> None:
    usual = draw(folder).samples
    assert np.array_equal(draw(folder).samples[1], usual[1])
    assert not np.array_equal(draw(folder, seed=1).samples[1], usual[1])
    assert not np.array_equal(draw(folder, temperature=0.3).samples[1], usual[1])
    assert len(draw(folder, rows=5).samples) == 5
    assert len(draw(folder, each=3).samples[0]) == 3
    assert np.array_equal(draw(folder, rows=5, each=3).samples[1][:2], usual[1])


def test_the_command_writes_a_sheet(folder: Path) -> None:
    args = ["draw", str(folder / "run"), "--like", str(folder / "parts.parquet"), "--rows", "4"]
    found = CliRunner().invoke(app, [*args, "--complete", "0.5", "-o", str(folder / "a.png")])
    assert found.exit_code == 0, found.output
    assert "column photo: 4 rows, 4 draws each" in found.output
    with Image.open(folder / "a.png") as sheet:
        assert sheet.height > 4 * 96
        assert sheet.width > 7 * 96


def test_the_page_of_pretrain_shows_what_the_run_draws(folder: Path) -> None:
    page = (folder / "run" / "pretrain.html").read_text()
    for column in ("photo", "vibration", "sound"):
        assert f"Drawn: {column}" in page


def test_bad_requests_get_a_sentence(folder: Path) -> None:
    table = folder / "parts.parquet"
    with pytest.raises(
        ma.JobError, match=r"does not draw 'load'. It draws photo, vibration, sound"
    ):
        draw(folder, column="load")
    with pytest.raises(ma.JobError, match="needs rows to complete; name their table with --like"):
        draw(folder, complete=0.5)
    for share in (0.0, 1.5, float("nan")):
        with pytest.raises(ma.JobError, match="is no share"):
            draw(folder, like=table, complete=share)
    for asked in ({"rows": 0}, {"each": 0}, {"rows": 201}):
        with pytest.raises(ma.JobError, match="do not go on a sheet"):
            draw(folder, **asked)
    with pytest.raises(ma.JobError, match="temperature: 0 is none"):
        draw(folder, temperature=0.0)
    with pytest.raises(ma.JobError, match=r"written as \.png"):
        draw(folder, out=folder / "a.jpg")
    with pytest.raises(ma.JobError, match="there is no folder"):
        draw(folder, out=folder / "none" / "a.png")
    with pytest.raises(ma.TableError, match="has none of the columns this model reads"):
        draw(folder, like=pd.DataFrame({"other": [1, 2]}))
    with pytest.raises(ma.TableError, match="'photo' is empty in these 2 rows"):
        draw(folder, like=pd.DataFrame({"load": [1.0, 2.0]}), complete=0.5)


def test_a_run_that_never_learned_to_draw_says_what_to_do(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    job = make_job(table, columns=("load", "site"))
    job["pretrain"] = {"epochs": 1}
    ma.pretrain(job, out=tmp_path / "run", quiet=True)
    with pytest.raises(ma.RunError, match="has not learned to draw; write"):
        ma.draw(tmp_path / "run")


def test_columns_that_cannot_be_drawn_are_refused_before_learning(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    job = make_job(table, columns=("photo", "load", "vibration"))
    for named, why in (
        (["load"], "is of type number; pictures, series and recordings are drawn"),
        (["foto"], r"there is no column 'foto'. Did you mean 'photo'\?"),
    ):
        job["pretrain"] = {"autoregress": {"columns": named}}
        with pytest.raises(ma.JobError, match=why):
            ma.load_job(job)
    job["columns"]["vibration"] |= {"front": ["statistics"], "augment": "none"}
    job["pretrain"] = {"autoregress": {"columns": ["vibration"]}}
    with pytest.raises(ma.JobError, match="nothing of the encoder of 'vibration' learns"):
        ma.pretrain(job, out=tmp_path / "run", quiet=True)
    plain = make_job(table, columns=("load", "site"))
    plain["pretrain"] = {"autoregress": {}}
    with pytest.raises(ma.JobError, match="has no picture, series or recording"):
        ma.load_job(plain)
