"""The split of a draft is the most honest one, and what gives a target away is no input."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from drafts import N, draft_of, sentences, valid
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

# --- split ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drop", "wanted"),
    [
        ((), {"column": "part"}),
        (("part",), {"by": "machine"}),
        (("part", "machine"), {"by": "session_id"}),
        (("part", "machine", "session_id"), {"time": "at"}),
        (("part", "machine", "session_id", "at"), {"random": "stratified"}),
    ],
)
def test_the_most_honest_split_is_chosen(
    drop: tuple[str, ...], wanted: dict[str, str], y: list[str], draw: np.random.Generator
) -> None:
    frame = {
        "x": draw.normal(size=N),
        "part": ["train", "train", "val", "test"] * (N // 4),
        "machine": [f"m{i % 12}" for i in range(N)],
        "session_id": draw.integers(0, 60, N),
        "at": pd.date_range("2024-01-01", periods=N),
        "y": y,
    }
    draft = draft_of({k: v for k, v in frame.items() if k not in drop})
    assert draft.split == wanted
    valid(draft)


@pytest.mark.parametrize("name", ["tool", "heat", "Maschine", "panel_SN", "customer"])
def test_things_that_own_several_rows_stay_together(name: str) -> None:
    rows, draw = 400, np.random.default_rng(2)
    thing = np.repeat(np.arange(80), 5)
    frame = {name: [f"k{t}" for t in thing], "x": draw.normal(size=rows)}
    draft = draft_of(frame | {"y": np.array(list("abcde"))[thing % 5]})
    assert draft.split == {"by": name}
    assert draft.columns[name].type == "group"


@pytest.mark.parametrize(
    ("words", "test", "validation", "said"),
    [
        (["train", "holdout"], 100, None, "test (holdout), train"),
        (["train", "eval"], 100, None, "test (eval), train"),
        (["Train", "eval", "test", "test"], 100, 50, "test, train, validation (eval)"),
        (["train", "valid"] * 2 + ["evaluation"], 40, 80, "test (evaluation), train, validation"),
    ],
)
def test_other_words_for_the_parts_of_a_split(
    words: list[str], test: int, validation: int | None, said: str, y: list[str]
) -> None:
    frame = {"x": np.random.default_rng(1).normal(size=N), "subset": words * (N // len(words))}
    draft = draft_of(frame | {"y": y})
    assert draft.split == {"column": "subset"}
    assert draft.split_reason.startswith(f"says {said}")
    assert draft.columns["subset"].type == "ignore"
    parts = split_job(open_table(pd.DataFrame(frame | {"y": y})), valid(draft))
    assert len(parts.test) == test
    assert set(parts.test) == {i for i, w in enumerate(frame["subset"]) if w == words[-1]}
    if validation is not None:
        assert len(parts.validation) == validation


def test_groups_that_a_split_column_tears_apart_are_no_input(y: list[str]) -> None:
    frame = {
        "x": np.random.default_rng(1).normal(size=N),
        "split": ["train", "test"] * (N // 2),
        "torn_id": [i // 4 for i in range(N)],
        "whole_id": [100 * (i % 2) + i // 8 for i in range(N)],
        "machine": [f"m{i % 3}" for i in range(N)],
        "y": y,
    }
    draft = draft_of(frame)
    assert draft.split == {"column": "split", "by": "whole_id"}
    assert draft.columns["torn_id"].type == "ignore"
    assert "`split: {by: torn_id}` would test unseen ones" in draft.columns["torn_id"].reason
    assert draft.columns["whole_id"].type == "group"
    assert draft.columns["machine"].type == "category"


def test_rows_with_the_same_picture_stay_together(tmp_path: Path, y: list[str]) -> None:
    for i in range(20):
        Image.new("L", (8, 8)).save(tmp_path / f"{i}.png")
    frame = {"photo": [f"{i % 20}.png" for i in range(N)], "q": sentences(N, 6), "y": y}
    draft = draft_of(frame, folder=tmp_path)
    assert draft.split == {"by": "photo"}
    assert draft.columns["photo"].type == "image"


# --- what gives a target away --------------------------------------------------------------------


def test_columns_that_tell_a_class_are_left_out(y: list[str], draw: np.random.Generator) -> None:
    code = {"ok": 0, "crack": 1, "dent": 2}
    low = {"ok": 0.0, "crack": 5.0, "dent": 9.0}
    days = pd.Series(draw.integers(0, 300, N))
    due = pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D")
    late = pd.to_timedelta([low[c] + draw.random() for c in y], unit="D")
    frame = {
        "good": draw.normal(size=N),
        "copy": [c.upper() for c in y],
        "finer": [f"{c}-{draw.integers(3)}" for c in y],
        "coarser": [c == "ok" for c in y],
        "grade": [code[c] for c in y],
        "range": [low[c] + draw.random() for c in y],
        "gap": [None if c == "ok" else draw.random() for c in y],
        "due": due,
        "done": due + late,
        "y": y,
    }
    found = draft_of(frame).columns
    kept = [c for c, g in found.items() if g.type != "ignore"]
    assert kept == ["good", "due"]
    assert "each of its 3 values goes with one class" in found["copy"].reason
    assert "made from 'y'" in found["coarser"].reason
    assert found["range"].reason == "gives 'y' away: each class is a range of it"
    assert found["done"].reason == "gives 'y' away together with 'due'"


def test_columns_that_tell_a_number_are_left_out(draw: np.random.Generator) -> None:
    y = draw.gamma(2.0, 40.0, N).round(2)
    good = y + draw.normal(size=N) * 30
    y[::4] = np.nan
    frame = {
        "good": good,
        "square": np.where(np.isnan(y), 0.0, y**2),
        "capped": np.where(np.isnan(y), 0.0, -np.minimum(y, 90)),
        "known_with_it": np.where(np.isnan(y), np.nan, draw.normal(size=N)),
        "large": np.where(y > 80, "yes", "no"),
        "always": np.where(np.isnan(y), "x", "y"),
        "parts": [None if np.isnan(v) else [v / 2, v / 2] for v in y],
        "y": y,
    }
    found = draft_of(frame).columns
    assert [c for c, g in found.items() if g.type != "ignore"] == ["good"]
    assert found["square"].reason == "gives 'y' away: rises with it without an exception"
    assert found["known_with_it"].reason.startswith("empty in the same 50 rows as 'y'")
    assert found["always"].reason == "always 'y' where a target is known"


def test_texts_that_say_the_class_are_left_out(draw: np.random.Generator) -> None:
    y = draw.choice(["bearing", "sealing", "winding", "coupling", "housing"], N)
    frame = {
        "told": [f"the {c} of unit {i} broke" for i, c in enumerate(y)],
        "note": sentences(N, 7),
        "y": y,
    }
    found = draft_of(frame).columns
    assert "100% of its texts hold the class's name" in found["told"].reason
    assert found["note"].type == "text"


def test_strong_but_imperfect_columns_stay(y: list[str], draw: np.random.Generator) -> None:
    level = {"ok": 0.0, "crack": 2.0, "dent": 4.0}
    mostly = [c if draw.random() < 0.9 else "ok" for c in y]
    frame = {"level": [level[c] + draw.normal() for c in y], "mostly": mostly, "y": y}
    assert [g.type for g in draft_of(frame).columns.values()] == ["number", "category"]
