"""Older forms of a run are mended in one place, and mean what they meant."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from test_run import reseal

import modalloy as ma
from modalloy.readers.build import READERS
from modalloy.readers.targets.classify import ClassTarget
from modalloy.readers.targets.regress import NumberTarget
from modalloy.runs.migrate import READERS_OF_1, TARGETS_OF_1, RawRun, migrate, reading_of_names
from modalloy.runs.saving import add_part
from modalloy.runs.seal import FORMAT
from untrained import untrained

# A run of the first version: names alone of a category, and no word of decimals, sizes and scales.
OLDEST = RawRun(
    {"modalloy": "0.1.0", "sha256": {}, "notes": {"epochs": 3, "cells": {"site": {"rows": 9}}}},
    {
        "table": "parts.csv",
        "columns": {
            "load": {"type": "number", "bins": 4},
            "size": {"type": "number", "scale": "log", "size": "base"},
            "site": {"type": "category", "min_count": 2},
            "day": {"type": "time", "cycles": ["day"]},
            "photo": {"type": "image", "pixels": 16},
            "machine": {"type": "group"},
        },
        "train": {"epochs": 3},
    },
    {
        "readers": {
            "load": {"kind": "number", "name": "load", "center": 1.0},
            "site": {"kind": "category", "name": "site", "names": ["north", "3"]},
            "recipe": {"kind": "category", "name": "recipe", "names": ["1", "2.5"]},
            "code": {"kind": "category", "name": "code", "names": ["007"], "reading": "number"},
            "day": {"kind": "time", "name": "day", "cycles": ["day"], "gap": [3.0, 4.0]},
            "sound": {"kind": "audio", "name": "sound", "rate_hz": 4000},
            "drive": {"kind": "series", "name": "drive", "sources": ["drive"]},
            "note": {"kind": "text", "name": "note", "max_tokens": 8},
        },
        "targets": {
            "grade": {"kind": "classify", "names": ["1", "2"], "reading": None},
            "fault": {"kind": "classify", "names": ["ok", "2"], "decimal": ","},
            "life": {"kind": "regress", "center": 2.0},
            "spans": {"kind": "tag", "names": ["O"]},
        },
        "trunks": {"note": {"a": 1}},
    },
)


def test_the_oldest_form_says_everything_afterwards() -> None:
    before = json.dumps([OLDEST.seal, OLDEST.job, OLDEST.schema])
    found = migrate(OLDEST)
    assert json.dumps([OLDEST.seal, OLDEST.job, OLDEST.schema]) == before
    assert (found.format, found.seal["kind"], found.seal["parent"]) == (FORMAT, "model", None)
    assert found.seal["modalloy"] == "0.1.0"
    assert found.seal["notes"] == {
        "interrupted": False, "refit": False, "findings": [], "epochs": 3,
        "cells": {"site": {"rows": 9}},
    }  # fmt: skip
    assert found.job["table"] == "parts.csv"
    assert found.job["train"] == {"refit": False, "epochs": 3}
    assert found.job["columns"] == {
        "load": {"type": "number", "bins": 4, "size": "small", "scale": "linear"},
        "size": {"type": "number", "scale": "log", "size": "base"},
        "site": {"type": "category", "min_count": 2, "size": "small"},
        "day": {"type": "time", "cycles": ["day"], "size": "small"},
        "photo": {"type": "image", "pixels": 16, "all_views": False},
        "machine": {"type": "group"},
    }
    readers, targets = found.schema["readers"], found.schema["targets"]
    assert readers["load"] == {"kind": "number", "name": "load", "center": 1.0, "log": False}
    assert [readers[n]["reading"] for n in ("site", "recipe", "code")] == [
        "written", "number", "number",
    ]  # fmt: skip
    assert readers["day"]["gap"] == [3.0, 4.0]
    assert readers["day"]["forms"] == ["iso", "iso"]
    assert readers["sound"]["full"] is None
    assert (readers["drive"]["channel_names"], readers["drive"]["alike"]) == (None, True)
    assert readers["note"] == OLDEST.schema["readers"]["note"]
    assert [targets[n]["reading"] for n in ("grade", "fault")] == ["number", "written"]
    assert [targets[n]["decimal"] for n in ("grade", "fault")] == [".", ","]
    assert targets["life"] == {"kind": "regress", "center": 2.0, "limit": 1e6}
    assert (found.schema["decimal"], found.schema["trunks"]) == (None, {"note": {"a": 1}})


def test_a_run_of_the_present_format_stays_as_it_is() -> None:
    raw = RawRun(dict(OLDEST.seal) | {"format": FORMAT}, OLDEST.job, OLDEST.schema)
    assert migrate(raw) is raw


@pytest.mark.parametrize(
    ("names", "reading"),
    [
        (["1", "2", "10"], "number"),
        (["1.5", "-2,5", "1e3"], "number"),
        (["007", "1"], "written"),
        (["north", "1"], "written"),
        ([], "written"),
    ],
)
def test_names_alone_tell_how_older_runs_read_cells(names: list[str], reading: str) -> None:
    assert reading_of_names(names) == reading


def test_what_older_readers_lack_is_filled_with_fields_that_they_have() -> None:
    for kinds, lacking in ((READERS, READERS_OF_1), ((ClassTarget, NumberTarget), TARGETS_OF_1)):
        fields = {kind.kind: set(kind.__dataclass_fields__) for kind in kinds}
        for kind, state in lacking.items():
            assert state.keys() <= fields[kind], kind


def strip(run: Path) -> None:
    """Make a run of this version one of the first, which knew less."""
    schema = json.loads((run / "schema.json").read_text())
    del schema["decimal"]
    for state in (*schema["readers"].values(), *schema["targets"].values()):
        for key in ("reading", "decimal", "limit"):
            state.pop(key, None)
    del schema["readers"]["load"]["log"]
    (run / "schema.json").write_text(json.dumps(schema))
    text = (run / "job.yaml").read_text()
    for line in ("    size: small\n", "    scale: linear\n", "  refit: false\n"):
        assert line in text
        text = text.replace(line, "")
    (run / "job.yaml").write_text(text)
    notes = {"epochs": 1, "best_epoch": 1, "curves": [], "seconds": {}, "precision": "float32"}
    reseal(run, format=..., kind=..., parent=..., notes=notes)


def test_a_run_of_the_first_version_answers_as_it_did(small_table: Path, tmp_path: Path) -> None:
    run = untrained(tmp_path / "run", small_table)
    answers = ma.predict(run, small_table, quiet=True)
    figures = ma.evaluate(run, quiet=True).tasks
    strip(run.path)
    old = ma.load_run(run.path)
    assert (old.format, old.kind, old.parent, old.parts) == (1, "model", None, ())
    assert (old.decimal, run.decimal) == (None, ".")
    assert old.job == run.job
    assert (old.readers, old.targets) == (run.readers, run.targets)
    pd.testing.assert_frame_equal(ma.predict(old, small_table, quiet=True), answers)
    assert ma.evaluate(old, quiet=True).tasks == figures


def test_a_part_can_be_added_to_a_run_of_an_older_format(small_table: Path, tmp_path: Path) -> None:
    run = untrained(tmp_path / "run", small_table)
    strip(run.path)
    before = json.loads((run.path / "run.json").read_text())
    added = add_part(ma.load_run(run.path), "calibration.json", b"{}")
    again = ma.load_run(run.path)
    assert (again.format, again.identity) == (1, added.identity)
    assert again.part("calibration.json") == b"{}"
    seal: dict[str, Any] = json.loads((run.path / "run.json").read_text())
    assert seal["sha256"].pop("calibration.json")
    assert seal == before
