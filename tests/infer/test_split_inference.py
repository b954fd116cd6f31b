"""The split that is proposed keeps copies on one side, and where rows are drawn, says why."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from drafts import draft_of
from modalloy.checks.check import check
from modalloy.checks.parting import parting_column
from modalloy.infer.infer import Draft, infer
from modalloy.job import config
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

PLACES, VIEWS = 23, 3
ROWS = PLACES * VIEWS


def write_views(folder: Path, *, alike: bool) -> pd.DataFrame:
    """Three pictures of each place, nearly the same or not, in mixed order; a place has a class."""
    draw = np.random.default_rng(0)
    order = draw.permutation(ROWS)
    for i in range(ROWS):
        scene = np.random.default_rng(i // VIEWS if alike else 100 + i)
        cells = scene.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(cells).resize((64, 64), Image.Resampling.BICUBIC)
        light = np.clip(np.asarray(picture).astype(int) + i % VIEWS, 0, 255).astype(np.uint8)
        Image.fromarray(light).save(folder / f"{i}.png")
    frame = pd.DataFrame(
        {
            "photo": [f"{i}.png" for i in range(ROWS)],
            "light": draw.normal(size=ROWS).round(3),
            "spot_name": [f"corner {i // VIEWS}" for i in range(ROWS)],
            "half": [f"side {i // VIEWS % 2}" for i in range(ROWS)],
            "state": [["clean", "dirty"][i // VIEWS % 5 == 0] for i in range(ROWS)],
        }
    )
    return frame.iloc[order].reset_index(drop=True)


def draft_in(folder: Path, frame: pd.DataFrame) -> Draft:
    return infer(open_table(frame, folder=folder), ["state"])


def test_init_splits_by_the_column_that_parts_near_copies(tmp_path: Path) -> None:
    frame = write_views(tmp_path, alike=True)
    draft = draft_in(tmp_path, frame)
    assert draft.split == {"by": "spot_name"}
    assert "near-copies of training pictures at random, 0% by 'spot_name'" in draft.split_reason
    assert draft.columns["spot_name"].type == "group"
    table = open_table(frame, folder=tmp_path)
    job = config.Job.model_validate(draft.job("t"))
    assert not check(job, table, split_job(table, job)).leaks


def test_init_says_so_where_no_column_parts_them(tmp_path: Path) -> None:
    frame = write_views(tmp_path, alike=True).drop(columns="spot_name")
    draft = draft_in(tmp_path, frame)
    assert draft.split == {"random": "stratified"}
    assert "of the test pictures 'photo' would be near-copies" in draft.split_reason
    assert "no column parts them" in draft.split_reason


def test_check_names_the_column_that_parts_near_copies(tmp_path: Path) -> None:
    frame = write_views(tmp_path, alike=True)
    table = open_table(frame, folder=tmp_path)
    page = {
        "table": "t",
        "split": {"random": "stratified"},
        "columns": {"photo": {"type": "image", "pixels": 16}},
        "tasks": {"t": {"type": "classify", "target": "state"}},
    }
    job = config.Job.model_validate(page)
    (leak,) = check(job, table, split_job(table, job)).leaks
    assert "split: {by: spot_name} would keep 100 % of these pairs on one side" in leak.what


def test_pictures_that_differ_are_drawn_and_the_places_are_named(tmp_path: Path) -> None:
    draft = draft_in(tmp_path, write_views(tmp_path, alike=False))
    assert draft.split == {"random": "stratified"}
    assert draft.split_reason == (
        "rows at random: repeated values in 'spot_name' (23 different): if rows with the same one "
        "belong together, split: {by: spot_name}"
    )


def test_the_finest_column_that_keeps_copies_together_is_taken() -> None:
    place = np.arange(60) // 3
    frame = pd.DataFrame(
        {
            "one": ["x"] * 60,
            "half": place % 2,
            "fifth": place % 5,
            "place": [f"p{p}" for p in place],
            "row": [f"r{i}" for i in range(60)],
            "lists": [[1.0]] * 60,
        }
    )
    pairs = np.stack([np.arange(0, 60, 3), np.arange(1, 60, 3)], axis=1)
    table = open_table(frame)
    assert parting_column(table, pairs, set()) == ("place", 1.0)
    assert parting_column(table, pairs, {"place"}) == ("fifth", 1.0)
    assert parting_column(table, pairs, {"place", "fifth"}) is None


TIMES = pd.date_range("2024-03-01", periods=200, freq="h")


@pytest.mark.parametrize(
    ("name", "cells", "split", "reason"),
    [
        ("taken", TIMES, {"time": "taken"}, "the newest rows by 'taken' are the test rows"),
        ("taken", TIMES.floor("2D"), {"time": "taken"}, "the newest rows by 'taken'"),
        (
            "taken",
            [None if i % 8 == 0 else t for i, t in enumerate(TIMES)],
            None,
            "is empty in 12% of",
        ),
        ("taken", TIMES.floor("4D"), None, "'taken' has 3 different times, too few to split by"),
        ("day", ["03/04/2024", "05/06/2024"] * 100, None, "dates that can be read in two ways"),
        ("machine_id", ["a", "b"] * 100, None, "'machine_id' names 2 things, too few"),
        ("place", [f"p{i % 4}" for i in range(200)], None, "split: {by: place}"),
        ("kind", [f"k{i % 4}" for i in range(200)], None, "no split, group or time column was"),
        ("colour", [f"k{i % 40}" for i in range(200)], None, "repeated values in 'colour' (40 di"),
    ],
)
def test_the_reason_for_drawing_rows_is_the_true_one(
    name: str, cells: Any, split: dict[str, str] | None, reason: str
) -> None:
    draw = np.random.default_rng(0)
    frame = {name: cells, "x": draw.normal(size=200), "y": draw.choice(["p", "q"], 200)}
    draft = draft_of(frame)
    assert draft.split == (split or {"random": "stratified"})
    assert reason in draft.split_reason


def test_groups_that_leave_few_rows_to_train_on_say_so() -> None:
    draw = np.random.default_rng(0)
    plain = {"x": draw.normal(size=200), "y": draw.choice(["p", "q"], 200)}
    few = draft_of({"plant": [f"p{i % 3}" for i in range(200)], **plain})
    many = draft_of({"plant": [f"p{i % 20}" for i in range(200)], **plain})
    assert few.split == many.split == {"by": "plant"}
    assert few.split_reason.endswith(", and only 67 of 200 rows are left to train on")
    assert many.split_reason.endswith("test rows come from unseen ones")
