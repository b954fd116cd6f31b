"""Every type of column over every kind of cell: `check` says what training would, never a crash."""

import datetime as dt
import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from PIL import Image

from modalloy.checks.check import Check, check
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.job.rules import broken_rules
from modalloy.readers.build import fit_reader
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts
from modalloy.table.table import Table

ROWS = 24
TRAIN = 16
DRAW = np.random.default_rng(0)
DAY = dt.datetime(2024, 5, 1)
EVERY = range(ROWS)
KINDS: dict[str, pa.Array] = {
    "number": pa.array(DRAW.normal(size=ROWS)),
    "infinite": pa.array([float("inf") if i % 7 == 0 else float(i) for i in EVERY]),
    "true_false": pa.array([None if i % 5 == 0 else i % 2 == 0 for i in EVERY]),
    "names": pa.array([f"kind {i % 3}" for i in EVERY]),
    "number_texts": pa.array([f"{i}.5" for i in EVERY]),
    "date_texts": pa.array([f"2024-05-{i + 1:02d}" for i in EVERY]),
    "pictures": pa.array([f"{i}.png" for i in EVERY]),
    "sounds": pa.array([f"{i}.wav" for i in EVERY]),
    "samples": pa.array([f"{i}.csv" for i in EVERY]),
    "json_lists": pa.array([f"[{i}, 2, 3.5, 4]" for i in EVERY]),
    "json_words": pa.array(['["pump", "leaks"]' for _ in EVERY]),
    "no_json": pa.array([f"[{i}, 2" for i in EVERY]),
    "lists": pa.array([list(DRAW.normal(size=8)) for _ in EVERY]),
    "ragged": pa.array([list(DRAW.normal(size=3 + i % 4)) for i in EVERY]),
    "gaps": pa.array([None if i % 4 == 0 else [1.0, None, float(i)] for i in EVERY]),
    "empty_lists": pa.array([[] for _ in EVERY], pa.list_(pa.float64())),
    "words": pa.array([["pump", f"leak{i}"] for i in EVERY]),
    "channels": pa.array([DRAW.normal(size=(2, 8)).tolist() for _ in EVERY]),
    "uneven_channels": pa.array([[[1.0, float(i)], [3.0]] for i in EVERY]),
    "boxes": pa.array([[[1.0, 2.0, 8.0, 9.0 + i]] for i in EVERY]),
    "lists_of_records": pa.array([[{"a": i}] for i in EVERY]),
    "records": pa.array([{"a": i} for i in EVERY]),
    "raw_bytes": pa.array([b"\xff%d" % i for i in EVERY]),
    "times": pa.array([DAY + dt.timedelta(days=i) for i in EVERY]),
    "days": pa.array([(DAY + dt.timedelta(days=i)).date() for i in EVERY]),
    "clock": pa.array([dt.time(i % 24, 5) for i in EVERY]),
    "durations": pa.array([dt.timedelta(hours=i) for i in EVERY]),
    "decimals": pa.array([decimal.Decimal("1.50") + i for i in EVERY]),
    "nothing": pa.nulls(ROWS),
}
COLUMNS: dict[str, dict[str, Any]] = {
    "number": {"x": {"type": "number"}},
    "category": {"x": {"type": "category"}},
    "time": {"x": {"type": "time"}},
    "time_since": {"x": {"type": "time", "since": "when"}},
    "text": {"x": {"type": "text", "vocabulary": 64}},
    "tokens": {"x": {"type": "tokens", "vocabulary": 64}},
    "image": {"x": {"type": "image", "pixels": 16}},
    "audio": {"x": {"type": "audio", "rate_hz": 8000}},
    "vector": {"x": {"type": "vector"}},
    "series": {"x": {"type": "series"}},
    "series_of_two": {"s": {"type": "series", "from": ["x", "x2"]}},
    "group": {"x": {"type": "group"}},
}
TASKS: dict[str, dict[str, Any]] = {
    "one_class": {"type": "classify"},
    "many_classes": {"type": "classify", "labels": "multi"},
    "amount": {"type": "regress"},
    "log_amount": {"type": "regress", "scale": "log"},
    "tags": {"type": "tag", "on": "spoken"},
    "boxes": {"type": "locate", "on": "photo"},
}
BESIDE = {"z": {"type": "number"}}


@pytest.fixture(autouse=True)
def _known_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modalloy.checks.estimate.machine_gflops", lambda: 300.0)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture, a sound and a file of samples for each row."""
    folder = tmp_path_factory.mktemp("media")
    for i in EVERY:
        pixels = DRAW.integers(0, 255, (16, 18, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
        soundfile.write(folder / f"{i}.wav", DRAW.normal(0, 0.1, 400), 8000)
        np.savetxt(folder / f"{i}.csv", DRAW.normal(size=(40, 2)), delimiter=",")
    return folder


def table_of(kind: str, folder: Path, **more: pa.Array) -> Table:
    columns = {
        "y": pa.array(["a", "b"] * (ROWS // 2)),
        "z": pa.array(np.random.default_rng(1).normal(size=ROWS)),
        "when": pa.array([DAY - dt.timedelta(days=i % 5) for i in EVERY]),
        "photo": KINDS["pictures"],
        "spoken": KINDS["words"],
        "x": KINDS[kind],
        "x2": KINDS[kind],
    }
    return open_table(pa.table(columns | more), folder=folder)


def look(table: Table, columns: dict[str, Any], task: dict[str, Any]) -> Check | None:
    """What `check` says; None for jobs that are refused before a table is read."""
    page = {
        "table": "t.csv",
        "split": {"random": "stratified"},
        "columns": {**columns, **BESIDE},
        "tasks": {"t": task},
    }
    if list(broken_rules(page)):
        return None
    rows = np.arange(ROWS)
    parts = Parts(rows[:TRAIN], rows[:0], rows[TRAIN:])
    return check(config.Job.model_validate(page), table, parts)


def refused(table: Table, columns: dict[str, Any]) -> bool:
    """Whether training finds nothing in its rows that it can read."""
    page = {"table": "t", "split": {"random": "stratified"}, "columns": columns}
    page["tasks"] = {"t": {"type": "classify", "target": "y"}}
    ((name, options),) = config.Job.model_validate(page).columns.items()
    rows = np.arange(TRAIN)
    try:
        reader = fit_reader(name, options, lambda own: table.take(own, rows))
    except TableError:
        return True
    return reader is not None and not reader.read(table.take(reader.columns, rows)).present.any()


@pytest.mark.parametrize("kind", KINDS)
def test_check_refuses_a_column_where_training_could_read_nothing(kind: str, media: Path) -> None:
    table = table_of(kind, media)
    for label, columns in COLUMNS.items():
        said = look(table, columns, {"type": "classify", "target": "y"})
        assert said is not None
        own = [f for f in said.errors if f.where in {*columns, "x", "x2"}]
        held = table.kind("x") in ("list", "other") and label in ("category", "text", "group")
        assert bool(own) == (refused(table, columns) or held), (label, said.text())
        assert said.text()


@pytest.mark.parametrize("kind", KINDS)
def test_check_has_a_sentence_for_every_target(kind: str, media: Path) -> None:
    table = table_of(kind, media)
    columns = {"photo": {"type": "image", "pixels": 16}, "spoken": {"type": "tokens"}}
    for label, task in TASKS.items():
        said = look(table, columns, {**task, "target": "x"})
        assert said is not None
        assert all("Error" not in f.what for f in said.findings), label


def test_a_picture_column_over_lists_says_what_lists_are_for(media: Path) -> None:
    for name in ("image", "audio"):
        said = look(table_of("lists", media), COLUMNS[name], {"type": "classify", "target": "y"})
        assert said is not None
        (error,) = said.errors
        assert error.where == "x"
        assert "named by paths" in error.what
        assert "type: series" in error.what


def test_boxes_on_a_column_of_lists_are_refused(media: Path) -> None:
    table = table_of("lists", media, boxes=KINDS["boxes"])
    task = {"type": "locate", "on": "x", "target": "boxes"}
    said = look(table, COLUMNS["image"], task)
    assert said is not None
    assert [e.where for e in said.errors] == ["x"]


def test_a_series_of_earlier_rows_needs_numbers_and_an_order(media: Path) -> None:
    for kind, faulty in (("number", False), ("words", True), ("names", True)):
        history = {"by": ["y"], "order": "when", "rows": 3}
        column = {"s": {"type": "series", "from": ["x"], "history": history}}
        said = look(table_of(kind, media), column, {"type": "classify", "target": "y"})
        assert said is not None
        assert [e.where for e in said.errors] == ["s"] * faulty, kind


def test_speeds_that_are_no_numbers_are_told(media: Path) -> None:
    words = pa.array(["fast"] * 3 + ["1500"] * (ROWS - 3))
    table = table_of("lists", media, speed=words)
    column = {"x": {"type": "series", "rate_hz": 100, "rpm": "speed"}}
    said = look(table, column, {"type": "classify", "target": "y"})
    assert said is not None
    (told,) = [f for f in said.findings if f.where == "speed"]
    assert (told.level, told.rows) == ("warning", [0, 1, 2])
    assert "'fast'" in told.what


def test_samples_of_other_channels_are_told_with_their_rows(media: Path) -> None:
    cells = KINDS["channels"].to_pylist()
    cells[3], cells[20] = [1.0, 2.0, 3.0], [[1.0, 2.0]] * 5
    table = table_of("lists", media, x=pa.array([np.atleast_2d(c).tolist() for c in cells]))
    said = look(table, COLUMNS["series"], {"type": "classify", "target": "y"})
    assert said is not None
    (told,) = [f for f in said.findings if f.where == "x"]
    assert (told.level, told.rows) == ("warning", [3])  # five pairs are two channels, lying down
    assert "1 channels, expected 2" in told.what
