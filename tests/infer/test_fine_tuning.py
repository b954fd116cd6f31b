"""Pretrained encoders are tuned where rows, minutes and memory allow it, and the draft says why."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from drafts import sentences, valid
from modalloy.infer.draft import Draft
from modalloy.infer.fine_tuning import FEW, with_tuning
from modalloy.infer.guessed import Guess
from modalloy.infer.task_inference import InferredTask
from modalloy.table.open_table import open_table
from modalloy.table.table import Table

PHOTO = Guess("image", "paths", {"encoder": "efficientnet_lite0", "pixels": 64})
NOTE = Guess("text", "words", {"encoder": "minilm"})
FAULT = {"fault": InferredTask("classify", {}, "two names")}


def table_of(rows: int, folder: Path) -> Table:
    """Pictures, texts and boxes."""
    for i in range(4):
        Image.new("L", (64, 64), 60 * i).save(folder / f"{i}.png")
    frame = {
        "photo": [f"{i % 4}.png" for i in range(rows)],
        "other": [f"{(i + 1) % 4}.png" for i in range(rows)],
        "note": sentences(rows, 6),
        "boxes": [[[1, 2, 30, 40]]] * rows,
        "fault": np.where(np.arange(rows) % 2, "a", "b"),
    }
    return open_table(pd.DataFrame(frame), folder=folder)


def tunes(table: Table, columns: dict[str, Guess], tasks: Any = None, **options: Any) -> Any:
    """What becomes of each column's `tune`, and its reason."""
    split = {"random": "stratified"}
    draft = Draft(table.rows, columns, split, "", FAULT if tasks is None else tasks)
    found = with_tuning(table, draft, gflops=100.0, **options)
    valid(found)
    return {n: (g.options.get("tune"), g.reason) for n, g in found.columns.items()}


def test_few_rows_leave_encoders_frozen(tmp_path: Path) -> None:
    rows = FEW * 100 // 72
    few, enough = (table_of(n, tmp_path) for n in (rows - 10, rows + 10))
    columns = {"photo": PHOTO, "note": NOTE}
    found = tunes(few, columns)
    assert [t for t, _ in found.values()] == ["frozen", "frozen"]
    assert found["photo"][1].startswith("paths; frozen: 39")
    assert found["photo"][1].endswith(" training rows are few to tune it")
    assert tunes(enough, columns) == {"photo": (None, "paths"), "note": (None, "words")}


def test_encoders_that_take_too_long_stay_frozen_the_dearest_first(tmp_path: Path) -> None:
    table = table_of(1000, tmp_path)
    columns = {"note": NOTE, "photo": PHOTO, "other": PHOTO}
    (pictures, why), (notes, _) = (tunes(table, columns, minutes=4.0)[n] for n in ("other", "note"))
    assert (pictures, notes) == ("frozen", None)
    assert why.startswith("paths; frozen: tuning it makes an estimate of ")
    assert all(t == "frozen" for t, _ in tunes(table, columns, minutes=0.1).values())
    assert all(t is None for t, _ in tunes(table, columns, minutes=1000.0).values())


def test_too_little_memory_leaves_encoders_frozen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, columns = table_of(1000, tmp_path), {"photo": PHOTO}
    assert tunes(table, columns, minutes=1000.0)["photo"][0] is None
    monkeypatch.setattr("modalloy.infer.fine_tuning.MEMORY", 1e-3)
    assert tunes(table, columns, minutes=1000.0)["photo"][0] == "frozen"


def test_pictures_with_boxes_and_encoders_from_nothing_are_left_as_they_are(tmp_path: Path) -> None:
    table = table_of(60, tmp_path)
    boxes = {"boxes": InferredTask("locate", {"on": "photo"}, "boxes")}
    assert tunes(table, {"photo": PHOTO}, boxes)["photo"] == (None, "paths")
    scratch = {"photo": Guess("image", "paths", {"pixels": 64})}
    assert tunes(table, scratch)["photo"] == (None, "paths")
