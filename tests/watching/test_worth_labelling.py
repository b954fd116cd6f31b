"""Rows worth a label are unsure ones, and not one of them again and again."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from modalloy.answer.predictor import Predictor
from modalloy.deployment.row_log import RowLog
from modalloy.table.open_table import open_table
from modalloy.watching.worth_labelling import farthest_first, uncertainty, worth_labelling
from untrained import untrained


def cells_as_vectors(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    return {"x": frame["x"].to_numpy(np.float64)[:, None]}


def log_of(folder: Path, rows: list[dict], sure: list[float]) -> tuple[RowLog, list[str]]:
    about = {"tasks": {"kind": ["kind"]}, "inputs": [*rows[0]]}
    (folder / "about.json").write_text(json.dumps(about))
    log = RowLog(folder)
    said = {"row": range(len(rows)), "kind": ["a"] * len(rows), "kind.probability": sure}
    given = {"version": 1, "request": "a", "source": "s", "at": 0.0}
    return log, log.add(rows, pd.DataFrame(said), **given)


def test_the_unsure_and_unlike_ones_come_first(tmp_path: Path) -> None:
    x = [0.0] * 10 + [5.0] * 10 + [0.0] * 10
    sure = [0.99] * 10 + [0.5] * 10 + [0.55] * 10
    log, names = log_of(tmp_path, [{"x": v} for v in x], sure)
    first, second = worth_labelling(log, 2, cells_as_vectors)
    assert first in names[10:20]
    assert second in names[20:]
    log.label(first, "kind", "a", source="ann", at=0.0)
    assert first not in worth_labelling(log, 29, cells_as_vectors)
    assert len(worth_labelling(log, 100, cells_as_vectors)) == 29


def test_an_empty_log_asks_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "about.json").write_text(json.dumps({"tasks": {"kind": ["kind"]}, "inputs": []}))
    assert worth_labelling(RowLog(tmp_path), 5, cells_as_vectors) == []


def test_of_pictures_that_are_nearly_the_same_one_is_asked_for(
    tmp_path: Path, small_table: Path
) -> None:
    """Seen by an encoder: their bytes, and the answers to them, all differ."""
    draw = np.random.default_rng(0)
    scenes = draw.integers(0, 256, (5, 4, 4, 3))
    pictures = []
    for n in range(40):
        pixels = scenes[n % 5].repeat(8, 0).repeat(8, 1) + draw.integers(-3, 4, (32, 32, 3))
        file = io.BytesIO()
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "PNG")
        pictures.append(file.getvalue())
    sure = draw.uniform(0.5, 0.6, 40).round(6).tolist()
    (tmp_path / "log").mkdir()
    log, names = log_of(tmp_path / "log", [{"photo": p} for p in pictures], sure)
    model = Predictor(untrained(tmp_path / "run", small_table, columns=("photo",)))
    asked = worth_labelling(log, 5, lambda f: model.embed(open_table(f, folder=log.folder)).columns)
    assert sorted(names.index(name) % 5 for name in asked) == [0, 1, 2, 3, 4]


def test_every_kind_of_answer_says_how_unsure_it_is() -> None:
    answers = pd.DataFrame(
        {
            "kind.probability": [0.9, 0.9, 0.9],
            "life.low": [0.0, 0.0, 0.0],
            "life.high": [1.0, 2.0, 9.0],
            "unlike.score": [0.5, 1.8, 0.5],
        }
    )
    np.testing.assert_allclose(uncertainty(answers, ["kind", "life"]), [0.1, 0.8, 1.0])


def test_farthest_first_by_hand() -> None:
    x = np.array([[0.0], [1.0], [10.0], [10.1]])
    assert farthest_first(x, np.array([1.0, 0.5, 0.5, 0.5]), 3) == [0, 3, 1]
