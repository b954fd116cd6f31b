"""Targets become the tasks that answer them, or a sentence says why none does."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from drafts import N, draft_of, lists, sentences, valid
from modalloy.errors import TableError
from modalloy.infer.infer import infer
from modalloy.table.open_table import open_table


@pytest.mark.parametrize(
    ("cells", "kind", "options"),
    [
        (["ok", "bad"] * (N // 2), "classify", {}),
        ([True, False] * (N // 2), "classify", {}),
        ([0, 1, 2, None] * (N // 4), "classify", {}),
        ([0.0, 0.25] * (N // 2), "classify", {}),
        ([0.0, 1 / 3, 2 / 3, 1.0] * (N // 4), "regress", {"lowest": 0, "highest": 1}),
        (list(range(100)) * 2, "regress", {"lowest": 0}),
        ([*range(-1, 99)] * 2, "regress", {}),
        ([["a"], ["a", "b"], [], ["c"]] * (N // 4), "classify", {"labels": "multi"}),
        (["a", "a;b", None, "c; b"] * (N // 4), "classify", {"labels": "multi"}),
        (["ok; new", "bad"] * (N // 2), "classify", {"labels": "multi"}),
        (np.random.default_rng(0).normal(50, 9, N), "regress", {}),
        (np.random.default_rng(0).uniform(0, 90, N), "regress", {}),
        (np.random.default_rng(0).lognormal(5, 0.3, N), "regress", {}),
        (np.random.default_rng(0).weibull(2, N) * 900, "regress", {}),
        (np.random.default_rng(0).lognormal(5, 1, N), "regress", {"scale": "log", "lowest": 0}),
        (np.random.default_rng(0).lognormal(5, 2, N), "regress", {"scale": "log", "lowest": 0}),
        (np.random.default_rng(0).exponential(99, N), "regress", {}),
        (np.random.default_rng(0).poisson(30, N), "regress", {"lowest": 0}),
        (
            np.random.default_rng(0).lognormal(4, 1, N) // 1,
            "regress",
            {"scale": "log", "lowest": 0},
        ),
    ],
)
def test_targets_become_tasks(cells: Any, kind: str, options: dict[str, Any]) -> None:
    x = np.random.default_rng(1).normal(size=N)
    job = draft_of({"x": x, "y": cells}).job("t.csv")
    assert job["tasks"]["y"] == {"type": kind, "target": "y", **options}


@pytest.mark.parametrize("rows", [N, 6000])
def test_skewed_targets_are_learned_as_logarithms_in_any_number_of_rows(rows: int) -> None:
    draw = np.random.default_rng(2)
    price = draw.lognormal(8, 1, rows)
    goal = draft_of({"x": draw.normal(size=rows), "price": price}, "price").tasks["price"]
    assert goal.options == {"scale": "log", "lowest": 0}
    assert re.search(
        r"skewed \(0\.\d\d, logarithms -?0\.\d\d\): answers are near the median", goal.reason
    )
    # A long lower end of the logarithms is as bad as a long upper end of the numbers.
    both = np.where(np.arange(rows) % 6 == 0, price / 1e4, price)
    assert "scale" not in draft_of({"x": price, "cost": both}, "cost").tasks["cost"].options


@pytest.mark.parametrize(
    ("name", "largest", "options"),
    [
        ("defect_share", 0.7, {"lowest": 0, "highest": 1}),
        ("scrapPercent", 70.0, {"unit": "%", "lowest": 0, "highest": 100}),
        ("scrap %", 70.0, {"unit": "%", "lowest": 0, "highest": 100}),
        ("scrap_pct", 130.0, {}),
        ("force", 0.7, {}),
        ("hours", 0.7, {"lowest": 0}),
    ],
)
def test_shares_and_amounts_have_bounds(name: str, largest: float, options: dict[str, Any]) -> None:
    y = np.random.default_rng(1).uniform(0.01 * largest, largest, N)
    draft = draft_of({"x": np.random.default_rng(2).normal(size=N), name: y}, name)
    assert draft.tasks[name].options == options
    valid(draft)


def test_bounds_are_only_given_to_tables_that_were_seen_whole() -> None:
    rows = 20_001
    y = np.random.default_rng(1).poisson(30, rows)
    assert draft_of({"x": np.arange(rows) * 0.1, "y": y}).tasks["y"].options == {}


def test_whole_numbers_in_a_row_may_be_grades() -> None:
    x = np.random.default_rng(1).normal(size=N)
    told = "grades or counts? type: regress errs by fewer steps"
    for name, cells in (
        ("y", [1, 2, 3, 4, 5]),
        ("fault_code", [1, 2, 3, 4, 5]),
        ("y", [1, 3, 7, 8]),
    ):
        goal = draft_of({"x": x, name: cells * (N // len(cells))}, name).tasks[name]
        assert goal.type == "classify"
        assert (told in goal.reason) == (name == "y" and len(cells) == 5)


def test_counts_are_amounts() -> None:
    frame = {"x": np.random.default_rng(1).normal(size=N), "n_holes": [0, 1, 2, 3] * (N // 4)}
    assert draft_of(frame, "n_holes").tasks["n_holes"].type == "regress"


RARE = [0] * 60 + [1] * 40 + [2] * 30 + [3] * 2 + [4] * 25 + [5] * 20 + [6] * 21 + [7] * 2


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("y", RARE, "classify"),  # two of eight codes in two rows each
        ("y", sorted(RARE, reverse=True), "classify"),
        ("y", [float(c) for c in RARE], "classify"),
        ("y", [str(c) for c in RARE], "classify"),
        ("fault_code", [100, 200, 305] * 66 + [417, 512], "classify"),
        ("Fehlercode", [11, 12, 13, 14, 15] * 39 + [21, 22, 23, 24, 25], "classify"),
        ("defect_class", [i % 40 for i in range(N)], "classify"),
        ("y", [i % 40 for i in range(N)], "regress"),
        ("cycles", RARE, "regress"),
        ("y", [0.5 * c for c in RARE], "regress"),
        ("y", [0, 1, 2, 3] * 45 + list(range(4, 24)), "regress"),  # a long tail is no class
    ],
)
def test_numeric_codes_are_classes_though_some_are_rare(
    name: str, cells: list[Any], kind: str
) -> None:
    goal = draft_of({"x": np.random.default_rng(1).normal(size=N), name: cells}, name).tasks[name]
    assert goal.type == kind
    if cells == RARE:
        told = "; 2 of them in fewer than 5 rows" if kind == "classify" else "; codes of classes"
        assert told in goal.reason


def test_boxes_are_located_on_the_picture_that_is_no_template(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.new("L", (300, 200)).save(tmp_path / name)
    boxes = [json.dumps([[1, 2, 3, 4]] * (i % 3)) for i in range(N)]
    frame = {
        "template": ["a.png", "b.png"] * (N // 2),
        "photo": ["b.png", "a.png"] * (N // 2),
        "boxes": boxes,
        "kinds": [json.dumps(["hole"] * (i % 3)) for i in range(N)],
        "n_boxes": [i % 3 for i in range(N)],
    }
    draft = draft_of(frame, "boxes", folder=tmp_path)
    options = {"on": "photo", "template": "template", "labels": "kinds"}
    assert draft.job("t")["tasks"]["boxes"] == {"type": "locate", "target": "boxes", **options}
    assert draft.columns["photo"].options["pixels"] == 320
    assert draft.columns["kinds"].type == "ignore"
    assert draft.columns["n_boxes"].type == "ignore"
    valid(draft)
    with pytest.raises(TableError, match="holds boxes, but no column holds paths to pictures"):
        draft_of({"boxes": boxes, "x": range(N)}, "boxes")


def test_tags_go_with_the_words_of_their_rows() -> None:
    words = [s.split() for s in sentences(N, 4)]
    tags = [["O", "B-part", "I-part", "O", "O"]] * N
    frame = {
        "id": range(N),
        "text": [" ".join(w) for w in words],
        "pos": [["NN"] * 5] * N,
        "words": words,
        "tags": tags,
    }
    draft = draft_of(frame, "tags")
    assert draft.job("t")["tasks"]["tags"] == {"type": "tag", "target": "tags", "on": "words"}
    assert draft.columns["text"].reason == "the same words as 'words'"
    assert draft.columns["pos"].reason == "labels of the words in 'words', not words"
    with pytest.raises(TableError, match="no other column holds as many words"):
        draft_of({"x": range(N), "tags": tags}, "tags")
    with pytest.raises(TableError, match="'NN' is no BIO tag"):
        draft_of({"words": words, "pos": [["NN"] * 5] * N}, "pos")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([f"part-{i}" for i in range(N)], "different texts in 200 rows, which are no classes"),
        ([1.0] * N, "is 1.0 in every row"),
        ([None] * N, "empty in all 200 rows"),
        (lists(4), "lists of numbers, which no task answers"),
        (pd.date_range("2024-01-01", periods=N), "holds times"),
        ([np.inf, -np.inf] * (N // 2), "no finite number"),
    ],
)
def test_targets_that_no_task_answers(cells: Any, message: str) -> None:
    with pytest.raises(TableError, match=message):
        draft_of({"x": np.random.default_rng(1).normal(size=N), "y": cells})


def test_texts_of_several_words_are_written() -> None:
    load = np.random.default_rng(1).normal(size=N).round(1)
    draft = draft_of({"x": load, "y": sentences(N, 6)})
    task = draft.job("t")["tasks"]["y"]
    assert task == {"type": "generate", "target": "y"}
    assert "different texts in 200 rows, 7 words on average" in draft.tasks["y"].reason
    long = draft_of({"x": load, "y": sentences(N, 60)}).job("t")["tasks"]["y"]
    assert long == {"type": "generate", "target": "y", "max_tokens": 128}


def test_other_mistakes(y: list[str]) -> None:
    table = open_table(pd.DataFrame({"fault": y, "x": [1.0] * N}))
    with pytest.raises(TableError, match=r"no column 'fualt'\. Did you mean 'fault'"):
        infer(table, ["fualt"])
    with pytest.raises(TableError, match="name at least one column to be answered"):
        infer(table, [])
    with pytest.raises(TableError, match=r"no column is left to learn from\. 'x': always 1"):
        infer(table, ["fault"])
