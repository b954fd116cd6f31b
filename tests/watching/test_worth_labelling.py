"""Rows worth a label are unsure ones, and not one of them again and again."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from modalloy.deployment.row_log import RowLog
from modalloy.watching.worth_labelling import farthest_first, uncertainty, worth_labelling


def test_the_unsure_and_unlike_ones_come_first(tmp_path: Path) -> None:
    about = {"tasks": {"kind": ["kind"]}, "inputs": ["x"]}
    (tmp_path / "about.json").write_text(json.dumps(about))
    log = RowLog(tmp_path)
    x = [0.0] * 10 + [5.0] * 10 + [0.0] * 10
    sure = [0.99] * 10 + [0.5] * 10 + [0.55] * 10
    said = pd.DataFrame({"row": range(30), "kind": ["a"] * 30, "kind.probability": sure})
    given = {"version": 1, "request": "a", "source": "s", "at": 0.0}
    names = log.add([{"x": v} for v in x], said, **given)
    first, second = worth_labelling(log, 2)
    assert first in names[10:20]
    assert second in names[20:]
    log.label(first, "kind", "a", source="ann", at=0.0)
    assert first not in worth_labelling(log, 29)
    assert len(worth_labelling(log, 100)) == 29


def test_an_empty_log_asks_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "about.json").write_text(json.dumps({"tasks": {"kind": ["kind"]}, "inputs": []}))
    assert worth_labelling(RowLog(tmp_path), 5) == []


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
