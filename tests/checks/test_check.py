"""Every defect planted in a small table is found with its rows; a clean table is called clean."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from modalloy.checks.check import LEVELS, Check, check
from modalloy.checks.estimate import Estimate
from modalloy.checks.finding import Finding, finding, share
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.table.split import Parts, split_job
from modalloy.table.table import Table, open_table

ROWS = 60


def look(
    frame: pd.DataFrame,
    columns: dict[str, Any],
    *,
    task: dict[str, Any] | None = None,
    folder: Path | None = None,
    **job: Any,
) -> Check:
    """Check a frame whose last fifth is the test part."""
    part = np.where(np.arange(len(frame)) < 0.8 * len(frame), "train", "test")
    frame = frame.assign(part=part)
    page = {
        "table": "frame",
        "split": {"column": "part", "validation": 0},
        "columns": columns,
        "tasks": {"t": task or {"type": "classify", "target": "fault"}},
        **job,
    }
    rows = np.arange(len(frame))
    parts = Parts(rows[part == "train"], rows[:0], rows[part == "test"])
    return check(config.Job.model_validate(page), open_table(frame, folder=folder), parts)


@pytest.fixture(autouse=True)
def _known_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's speed is not measured anew for each small table."""
    monkeypatch.setattr("modalloy.checks.estimate.machine_gflops", lambda: 300.0)


def parts_table(rows: int = ROWS) -> pd.DataFrame:
    """Two equal classes and an honest number."""
    draw = np.random.default_rng(0)
    fault = np.array(["crack", "ok"])[np.arange(rows) % 2]
    return pd.DataFrame({"fault": fault, "load": draw.normal(0, 1, rows) + (fault == "ok")})


LOAD: dict[str, Any] = {"load": {"type": "number"}}


def found(report: Check, where: str) -> list[tuple[str, list[int], int]]:
    return [(f.level, f.rows, f.count) for f in report.findings if f.where == where]


def said(report: Check, where: str) -> str:
    return "; ".join(f.what for f in report.findings if f.where == where)


# --- files -------------------------------------------------------------------------------------


def with_pictures(folder: Path) -> pd.DataFrame:
    """A different PNG for each row."""
    draw = np.random.default_rng(1)
    for row in range(ROWS):
        cells = Image.fromarray(draw.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        cells.resize((32, 32), Image.Resampling.BICUBIC).save(folder / f"{row}.png")
    return parts_table().assign(photo=[f"{row}.png" for row in range(ROWS)])


def no_such_file(folder: Path) -> str:
    (folder / "7.png").unlink()
    return "no file 7.png"


def zero_bytes(folder: Path) -> str:
    (folder / "7.png").write_bytes(b"")
    return "is empty"


def truncated(folder: Path) -> str:
    whole = (folder / "7.png").read_bytes()
    (folder / "7.png").write_bytes(whole[: len(whole) // 2])
    return "cannot be read as a picture"


def truncated_jpeg(folder: Path) -> str:
    draw = np.random.default_rng(0)
    noise = Image.fromarray(draw.integers(0, 256, (200, 200, 3), dtype=np.uint8))
    noise.save(folder / "7.png", "JPEG")
    whole = (folder / "7.png").read_bytes()
    (folder / "7.png").write_bytes(whole[: len(whole) // 2])
    return "truncated"


def no_picture(folder: Path) -> str:
    (folder / "7.png").write_text("<svg/>")
    return "is no picture"


def too_large(folder: Path) -> str:
    Image.new("1", (8000, 5001)).save(folder / "7.png")
    return "megapixels"


@pytest.mark.parametrize(
    "spoil", [no_such_file, zero_bytes, truncated, truncated_jpeg, no_picture, too_large]
)
def test_a_bad_picture(tmp_path: Path, spoil: Callable[[Path], str]) -> None:
    frame = with_pictures(tmp_path)
    why = spoil(tmp_path)
    columns = LOAD | {"photo": {"type": "image", "pixels": 32}}
    report = look(frame, columns, folder=tmp_path)
    assert found(report, "photo") == [("error", [7], 1)]
    assert why in said(report, "photo")
    assert not report.ok
    lenient = look(frame, columns, folder=tmp_path, unreadable="missing")
    assert found(lenient, "photo") == [("warning", [7], 1)]
    assert lenient.ok


def test_paths_outside_the_folder(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    frame = with_pictures(inside)
    Image.open(inside / "3.png").rotate(90).save(tmp_path / "away.png")
    (inside / "link.png").symlink_to(tmp_path / "away.png")
    frame.loc[3, "photo"] = str(tmp_path / "away.png")
    frame.loc[8, "photo"] = "../away.png"
    frame.loc[9, "photo"] = "link.png"
    columns = LOAD | {"photo": {"type": "image"}}
    for unreadable in ("refuse", "missing"):
        report = look(frame, columns, folder=inside, unreadable=unreadable)
        assert found(report, "photo") == [("error", [3, 8, 9], 3)]
    allowed = look(frame, columns, folder=inside, allow_outside=True)
    assert allowed.errors == []


def test_one_even_colour_and_missing_cells_are_no_errors(tmp_path: Path) -> None:
    frame = with_pictures(tmp_path)
    Image.new("RGB", (32, 32), (9, 9, 9)).save(tmp_path / "4.png")
    frame.loc[[5, 6], "photo"] = None
    report = look(frame, LOAD | {"photo": {"type": "image"}}, folder=tmp_path)
    assert found(report, "photo") == [("warning", [4], 1), ("note", [5, 6], 2)]


def test_bad_recordings(tmp_path: Path) -> None:
    draw, frame = np.random.default_rng(2), parts_table()
    for row in range(ROWS):
        soundfile.write(tmp_path / f"{row}.flac", draw.normal(0, 0.1, 800), 8000)
    whole = (tmp_path / "1.flac").read_bytes()
    (tmp_path / "1.flac").write_bytes(whole[: len(whole) // 2])
    soundfile.write(tmp_path / "2.flac", np.zeros(601 * 100, dtype=np.float32), 100)
    soundfile.write(tmp_path / "3.flac", np.zeros(800), 8000)
    frame["sound"] = [f"{row}.flac" for row in range(ROWS)]
    report = look(frame, {"sound": {"type": "audio"}}, folder=tmp_path)
    assert found(report, "sound") == [("error", [1, 2], 2), ("warning", [3], 1)]
    assert "10" in said(report, "sound")
    assert "silent" in said(report, "sound")


def test_bad_series_files(tmp_path: Path) -> None:
    draw, frame = np.random.default_rng(2), parts_table()
    for row in range(ROWS):
        np.save(tmp_path / f"{row}.npy", draw.normal(size=64))
    (tmp_path / "4.npy").write_bytes((tmp_path / "4.npy").read_bytes()[:200])
    np.save(tmp_path / "5.npy", np.full(64, 2.0))
    frame["wave"] = [f"{row}.npy" for row in range(ROWS)]
    report = look(frame, {"wave": {"type": "series"}}, folder=tmp_path)
    assert found(report, "wave") == [("error", [4], 1), ("warning", [5], 1)]


# --- columns -----------------------------------------------------------------------------------


def test_an_empty_input_is_an_error_and_an_empty_stranger_a_note() -> None:
    frame = parts_table().assign(dead=None, other=pd.Series([None] * ROWS, dtype=object))
    report = look(frame, LOAD | {"dead": {"type": "number"}})
    assert [f[0] for f in found(report, "dead")] == ["error"]
    assert [f[0] for f in found(report, "other")] == ["note"]


def test_an_input_that_only_test_rows_have() -> None:
    frame = parts_table()
    frame["late"] = np.where(np.arange(ROWS) < 50, np.nan, np.arange(ROWS))
    report = look(frame, LOAD | {"late": {"type": "number"}})
    assert [f[0] for f in found(report, "late")] == ["error"]


def test_constant_columns() -> None:
    frame = parts_table().assign(width=640, plant="north")
    report = look(frame, LOAD | {"width": {"type": "number"}})
    assert found(report, "width") == [("warning", [], 0)]
    assert found(report, "plant") == [("note", [], 0)]


def test_a_column_with_one_value_in_all_training_rows() -> None:
    """As where the rows of one line are learned from, and another line's are held out."""
    frame = parts_table()
    other = np.arange(ROWS) >= 48
    frame["line"] = np.where(other, "south", "north")
    frame["speed"] = np.where(other, np.arange(ROWS), 30.0)
    frame["gap"] = frame["line"].where(np.arange(ROWS) % 5 < 3)  # tells whether it is there
    inputs = {"line": {"type": "category"}, "speed": {"type": "number"}}
    report = look(frame, LOAD | inputs | {"gap": {"type": "category"}})
    for column in inputs:
        assert found(report, column) == [("warning", list(range(48, 58)), 12)]
    assert said(report, "line").startswith("every training cell holds 'north', ")
    assert "leave the column out" in said(report, "speed")
    assert [level for level, *_ in found(report, "gap")] == ["note"]
    assert found(look(frame, LOAD), "line") == []


def test_missing_shares() -> None:
    frame = parts_table()
    frame.loc[:19, "load"] = np.nan
    frame["half"] = np.where(np.arange(ROWS) < 36, np.nan, np.arange(ROWS) * 0.37 % 5)
    frame["part_name"] = None
    frame.loc[::3, "part_name"] = "seal"
    report = look(frame, LOAD | {"half": {"type": "number"}})
    assert found(report, "load") == [("note", list(range(10)), 20)]
    assert found(report, "half") == [("warning", list(range(10)), 36)]
    assert "60 %" in said(report, "half")
    assert [f[0] for f in found(report, "part_name")] == ["note"]


def test_one_value_or_nothing() -> None:
    frame = parts_table()
    frame["mark"] = np.where(np.arange(ROWS) % 5 < 2, "x", None)
    frame["stamp"] = np.where(np.arange(ROWS) == 31, None, "x")
    report = look(frame, LOAD | {n: {"type": "category"} for n in ("mark", "stamp")})
    assert [f[::2] for f in found(report, "mark")] == [("warning", 36)]
    assert said(report, "mark").startswith("60 % of the cells are missing, the others all hold 'x'")
    assert found(report, "stamp") == [("warning", [31], 1)]
    assert [f[0] for f in found(look(frame, LOAD), "stamp")] == ["note"]


def test_texts_that_only_name_rows() -> None:
    frame = parts_table()
    frame["serial"] = [f"SN-{row * 7919 % 100_003:06d}/a" for row in range(ROWS)]
    frame["note"] = [f"pump {row} leaks" for row in range(ROWS)]
    frame["word"] = [f"leak{chr(97 + row % 26)}{chr(97 + row // 26)}" for row in range(ROWS)]
    report = look(frame, {name: {"type": "text"} for name in ("serial", "note", "word")})
    assert found(report, "serial") == [("warning", [], 0)]
    assert "names rows" in said(report, "serial")
    assert found(report, "note") == found(report, "word") == []


def test_identifiers() -> None:
    frame = parts_table().assign(
        key=[f"k{row}" for row in range(ROWS)],
        row=np.arange(ROWS) + 1000,
        serial=(np.arange(ROWS) * 7919) % 100_003,
        price=(np.arange(ROWS) * 7919) % 100_003,
    )
    types = {"key": "category", "row": "number", "serial": "number", "price": "number"}
    report = look(frame, LOAD | {name: {"type": kind} for name, kind in types.items()})
    for name in ("key", "row", "serial"):
        assert [f[0] for f in found(report, name)] == ["warning"], name
        assert "ignore" in said(report, name)
    assert found(report, "price") == []


def test_cells_that_are_not_what_the_job_says() -> None:
    frame = parts_table()
    frame["size"] = [f"{row * 0.1:.1f}" for row in range(ROWS)]
    frame.loc[55, "size"] = "<0.5"
    frame["day"] = [f"2024-01-{row % 28 + 1:02d}" for row in range(ROWS)]
    frame.loc[12, "day"] = "soon"
    frame["shape"] = [json.dumps([row * 1.0, 2.0]) for row in range(ROWS)]
    frame.loc[13, "shape"] = "[1.0]"
    frame.loc[14, "load"] = np.inf
    types = {"size": "number", "day": "time", "shape": "vector"}
    report = look(frame, LOAD | {name: {"type": kind} for name, kind in types.items()})
    assert found(report, "size") == [("warning", [55], 1)]
    assert found(report, "day") == [("warning", [12], 1)]
    assert found(report, "shape") == [("warning", [13], 1)]
    assert found(report, "load") == [("warning", [14], 1)]


def test_marks_for_no_value_among_numbers() -> None:
    frame = parts_table()
    frame["load"] = [str(v) for v in frame["load"]]
    frame.loc[[3, 50], "load"] = ["n.d.", "-"]
    report = look(frame, LOAD)
    assert found(report, "load") == [("note", [3, 50], 2)]
    assert said(report, "load") == "1 cell 'n.d.' and 1 cell '-' are read as missing"


def test_text_among_training_numbers() -> None:
    frame = parts_table()
    frame["size"] = [f"{row * 0.1:.1f}" for row in range(ROWS)]
    frame.loc[[11, 30], "size"] = "large"
    report = look(frame, LOAD | {"size": {"type": "number"}})
    assert found(report, "size") == [("error", [11, 30], 2)]


# --- targets -----------------------------------------------------------------------------------


def test_costs_of_classes_that_are_others() -> None:
    decide = {"costs": {"miss": 10, "false_alarm": 1}, "positive": "crak"}
    task = {"type": "classify", "target": "fault", "decide": decide}
    report = look(parts_table(), LOAD, task=task)
    assert report.errors
    assert "there is no class 'crak'; there are crack or ok. Did you mean 'crack'" in said(
        report, "fault"
    )
    fine = {**task, "decide": decide | {"positive": "crack"}}
    assert not look(parts_table(), LOAD, task=fine).errors


def test_one_class_only() -> None:
    report = look(parts_table().assign(fault="ok"), LOAD)
    assert found(report, "fault") == [("error", [], 0)]


def test_rare_classes() -> None:
    frame = parts_table()
    frame.loc[[3, 9, 21], "fault"] = "bent"
    report = look(frame, LOAD)
    assert found(report, "fault") == [("warning", [3, 9, 21], 3)]
    assert "bent (3)" in said(report, "fault")


def test_classes_that_no_training_row_has() -> None:
    frame = parts_table()
    frame.loc[[50, 55], "fault"] = "bent"
    report = look(frame, LOAD)
    assert found(report, "fault") == [("warning", [50, 55], 2)]
    assert said(report, "fault") == (
        "1 class has no training row and can never be the answer: bent (2 test)"
    )


def test_test_rows_of_a_single_class_tell_of_no_other() -> None:
    frame = parts_table()
    frame.loc[48:, "fault"] = "ok"
    assert set(frame["fault"]) > {"ok"}
    report = look(frame, LOAD)
    assert "all test rows with an answer are 'ok': figures say nothing of " in said(report, "fault")
    frame.loc[48, "fault"] = "crack"
    assert "figures say nothing of" not in said(look(frame, LOAD), "fault")


def test_rare_kinds_of_spans_and_boxes(tmp_path: Path) -> None:
    words = [["pump", "leaks", str(row)] for row in range(ROWS)]
    tags = [["B-part", "I-part", "O"] for _ in range(ROWS)]
    tags[5], tags[50] = ["B-tool", "O", "B-tool"], ["O", "B-place", "O"]
    frame = parts_table().assign(words=words, tags=tags)
    task = {"type": "tag", "target": "tags", "on": "words"}
    report = look(frame, {"words": {"type": "tokens"}}, task=task)
    assert found(report, "tags") == [("warning", [5], 1), ("warning", [50], 1)]
    assert "tool (1)" in said(report, "tags")
    assert "place (1 test)" in said(report, "tags")
    frame = with_pictures(tmp_path).assign(boxes="[[2, 3, 20, 21]]", names='["scratch"]')
    frame.loc[[7, 8], "names"] = '["dent"]'
    task = {"type": "locate", "target": "boxes", "on": "photo", "labels": "names"}
    columns = {"photo": {"type": "image", "pixels": 32}}
    report = look(frame, columns, task=task, folder=tmp_path)
    assert found(report, "boxes") == [("warning", [7, 8], 2)]
    assert "dent (2)" in said(report, "boxes")


def test_a_class_that_outweighs_all_others() -> None:
    frame = parts_table(200)
    frame["fault"] = np.where(np.arange(200) % 20 == 0, "crack", "ok")
    report = look(frame, LOAD)
    assert found(report, "fault") == [("warning", [], 0)]
    assert "95 %" in said(report, "fault")
    frame["fault"] = np.where(np.arange(200) % 8 == 0, "crack", "ok")
    report = look(frame, LOAD)
    assert found(report, "fault") == [("note", [], 0)]
    assert "88 %" in said(report, "fault")


def test_missing_answers() -> None:
    frame = parts_table()
    frame.loc[:9, "fault"] = None
    assert found(look(frame, LOAD), "fault") == [("note", list(range(10)), 10)]
    frame.loc[:35, "fault"] = None
    assert found(look(frame, LOAD), "fault") == [("warning", list(range(10)), 36)]
    frame.loc[48:, "fault"] = None
    assert "no test row" in said(look(frame, LOAD), "fault")
    frame["fault"] = None
    assert [f[0] for f in found(look(frame, LOAD), "fault")] == ["error"]


def test_answers_that_are_no_numbers() -> None:
    frame = parts_table().assign(hours=[f"{row}" for row in range(ROWS)])
    frame.loc[[4, 51], "hours"] = "unknown"
    report = look(frame, LOAD, task={"type": "regress", "target": "hours"})
    assert found(report, "hours") == [("note", [4, 51], 2)]
    assert said(report, "hours").endswith("; 2 cells 'unknown' are read as missing")
    frame.loc[[4, 51], "hours"] = "a few"
    report = look(frame, LOAD, task={"type": "regress", "target": "hours"})
    assert found(report, "hours") == [("error", [4, 51], 2)]
    frame["hours"] = np.arange(ROWS, dtype=float)
    frame.loc[7, "hours"] = np.inf
    report = look(frame, LOAD, task={"type": "regress", "target": "hours"})
    assert ("warning", [7], 1) in found(report, "hours")


def test_amounts_over_magnitudes() -> None:
    draw = np.random.default_rng(0)
    frame = parts_table(400).assign(cost=draw.lognormal(3, 3, 400))
    task = {"type": "regress", "target": "cost"}
    assert "scale: log" in said(look(frame, LOAD, task=task), "cost")
    assert said(look(frame, LOAD, task=task | {"scale": "log"}), "cost") == ""


def test_tags_and_words_that_do_not_match() -> None:
    words = [["pump", "leaks", str(row)] for row in range(ROWS)]
    tags = [["B-part", "O", "O"] for _ in range(ROWS)]
    tags[5], tags[50] = ["B-part", "O"], ["B-part", "I-other", "O"]
    frame = parts_table().assign(words=words, tags=tags)
    task = {"type": "tag", "target": "tags", "on": "words"}
    report = look(frame, {"words": {"type": "tokens"}}, task=task)
    assert found(report, "tags") == [("error", [5, 50], 2)]
    assert "2 tags for the 3 words" in said(report, "tags")


def test_boxes(tmp_path: Path) -> None:
    frame = with_pictures(tmp_path)
    boxes = [[[2, 3, 20, 21]] for _ in range(ROWS)]
    boxes[6] = [[2, 3, 40, 21]]
    frame["boxes"] = [json.dumps(b) for b in boxes]
    task = {"type": "locate", "target": "boxes", "on": "photo"}
    columns = {"photo": {"type": "image", "pixels": 32}}
    report = look(frame, columns, task=task, folder=tmp_path)
    assert found(report, "boxes") == [("warning", [6], 1)]
    frame.loc[8, "boxes"] = "[[9, 9, 1, 1]]"
    report = look(frame, columns, task=task, folder=tmp_path)
    assert found(report, "boxes") == [("error", [8], 1)]


def test_days_since_a_date_that_is_never_there(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=40).astype(str)
    frame = pd.DataFrame({"sent": days, "made": days, "never": [None] * 40, "y": ["a", "b"] * 20})
    task = {"type": "classify", "target": "y"}
    for since, level in (("made", []), ("never", ["error"])):
        columns = {"sent": {"type": "time", "since": since}}
        report = look(frame, columns, task=task, folder=tmp_path)
        assert [level for level, *_ in found(report, "sent") if level == "error"] == level


# --- texts -------------------------------------------------------------------------------------


def test_texts_are_never_held_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = parts_table(5_000)
    frame["note"] = [f"pump {row // 2} leaks at its {row * row} side" for row in range(5_000)]
    frame["other"] = frame["note"]  # a column that the job does not mention
    asked: list[int] = []
    cells = Table.cells

    def counted_cells(self: Table, column: str, rows: np.ndarray | None = None) -> list[Any]:
        if column in ("note", "other"):
            asked.append(self.rows if rows is None else len(rows))
        return cells(self, column, rows)

    def no_codes(self: Table, column: str) -> Any:
        assert column not in ("note", "other")
        return codes(self, column)

    codes = Table.codes
    monkeypatch.setattr(Table, "cells", counted_cells)
    monkeypatch.setattr(Table, "codes", no_codes)
    report = look(frame, LOAD | {"note": {"type": "text"}})
    assert report.ok
    assert max(asked) == 1_000
    assert sum(asked) > 10_000


# --- the whole ---------------------------------------------------------------------------------


def test_the_small_table_is_clean(small_table: Path, job_dict: Any) -> None:
    job = load_job(job_dict(small_table))
    table = open_table(small_table)
    report = check(job, table, split_job(table, job))
    assert [f for f in report.findings if f.level in ("error", "leak")] == []
    assert report.ok
    assert report.minutes > 0
    assert report.memory_gb > 0.1


def test_rows_in_no_part_are_noted() -> None:
    frame = parts_table()
    job = config.Job.model_validate(
        {
            "table": "frame",
            "split": {"random": "stratified"},
            "columns": LOAD,
            "tasks": {"t": {"type": "classify", "target": "fault"}},
        }
    )
    rows = np.arange(ROWS)
    report = check(job, open_table(frame), Parts(rows[:40], rows[:0], rows[45:]))
    assert found(report, "split") == [("note", [40, 41, 42, 43, 44], 5)]


def test_validation_rows_of_the_only_group_that_is_learned_from_are_warned_of() -> None:
    frame = parts_table().assign(view=np.where(np.arange(ROWS) < 40, "top", "side"))
    job = config.Job.model_validate(
        {
            "table": "frame",
            "split": {"by": "view", "hold_out": ["side"]},
            "columns": LOAD,
            "tasks": {"t": {"type": "classify", "target": "fault"}},
        }
    )
    rows = np.arange(ROWS)
    report = check(job, open_table(frame), Parts(rows[:36], rows[36:40], rows[40:]))
    assert "all training and validation rows are of one view" in said(report, "split")
    frame["view"] = np.where(rows < 36, "top", np.where(rows < 40, "front", "side"))
    report = check(job, open_table(frame), Parts(rows[:36], rows[36:40], rows[40:]))
    assert not found(report, "split")


def test_the_text_says_everything_and_fits_a_terminal() -> None:
    findings = [finding("error", "photo", "word " * 60, range(12)), finding("note", "x", "fine")]
    text = Check(findings, Estimate(3.0, 1.5, 300.0)).text()
    assert text.splitlines()[0] == "1 error, 1 note"
    assert "rows 0, 1, 2, 3, 4, ..." in " ".join(text.split())
    assert "3 minutes and 1.5 GB" in text
    assert max(map(len, text.splitlines())) <= 120
    assert "nothing found" in Check([], Estimate(1.0, 1.0, 1.0)).text()


def test_a_finding_goes_into_json() -> None:
    made = finding("leak", "photo", "twins", np.arange(15))
    kept = json.loads(json.dumps(made.as_dict()))
    assert kept["text"] == "photo: twins"
    assert (kept["count"], len(kept["rows"])) == (15, 10)
    assert isinstance(made, Finding)


def test_shares_are_never_rounded_away() -> None:
    assert [share(n, 10_000) for n in (0, 1, 123, 5000, 9999, 10_000)] == [
        "0.0 %", "under 0.1 %", "1.2 %", "50 %", "over 99.9 %", "100 %",
    ]  # fmt: skip


def test_a_column_that_the_table_lacks() -> None:
    with pytest.raises(TableError, match="lode"):
        look(parts_table(), {"lode": {"type": "number"}})


def test_checking_needs_no_torch(small_table: Path, job_dict: Any) -> None:
    job = json.dumps(job_dict(small_table))
    code = (
        "import json, sys, modalloy as ma\n"
        "ma.check(json.loads(sys.argv[1]))\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, job], check=True, timeout=200)


def test_hundreds_of_pictures_take_seconds(tmp_path: Path) -> None:
    frame = with_pictures(tmp_path)
    for row in range(ROWS, 300):
        Image.open(tmp_path / f"{row % ROWS}.png").rotate(row).save(tmp_path / f"{row}.png")
    frame = parts_table(300).assign(photo=[f"{row}.png" for row in range(300)])
    start = time.process_time()
    look(frame, {"photo": {"type": "image"}}, folder=tmp_path)
    assert time.process_time() - start < 10


CELLS = {
    "number": st.floats(width=64) | st.integers(-5, 5),
    "category": st.sampled_from(["a", "b", "c", " ", ""]) | st.text(max_size=3),
    "text": st.text(max_size=12) | st.sampled_from(["pump leaks again today ok", "ok"]),
    "time": st.sampled_from(["2024-01-01", "2024-02-30", "", "2025-06-07 08:09"]),
    "image": st.sampled_from(["a.png", "../b.png", "", "\x00"]),
    "series": st.lists(st.floats(width=32), max_size=4),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[pd.DataFrame, dict[str, Any], dict[str, Any]]:
    """A few columns of any kind with missing cells, and a task."""
    rows = draw(st.integers(2, 30))
    names = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=4, unique=True))
    frame = pd.DataFrame(
        {
            name: pd.Series(
                draw(st.lists(st.none() | CELLS[name], min_size=rows, max_size=rows)), dtype=object
            )
            for name in names
        }
    )
    kind = draw(st.sampled_from(["classify", "regress"]))
    answers = CELLS["category"] if kind == "classify" else CELLS["number"]
    answers = draw(st.lists(st.none() | answers, min_size=rows, max_size=rows))
    frame["y"] = pd.Series(answers, dtype=object)
    frame["machine_id"] = draw(st.lists(st.integers(0, 6), min_size=rows, max_size=rows))
    return frame, {name: {"type": name} for name in names}, {"type": kind, "target": "y"}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables(), st.integers(0, 2**32 - 1), st.booleans())
def test_no_table_makes_check_raise(
    made: tuple[pd.DataFrame, dict[str, Any], dict[str, Any]], seed: int, random: bool
) -> None:
    frame, columns, task = made
    try:
        table = open_table(frame)
    except TableError:  # a frame that no file format could hold
        return
    split = {"random": "stratified"} if random else {"by": "machine_id"}
    page = {"table": "x", "split": split, "columns": columns, "tasks": {"t": task}}
    draw = np.random.default_rng(seed)
    part = draw.integers(0, 3, len(frame))
    part[0] = 0
    parts = Parts(*(np.flatnonzero(part == p) for p in range(3)))
    report = check(config.Job.model_validate(page), table, parts)
    assert [f.level for f in report.findings] == sorted(
        (f.level for f in report.findings), key=LEVELS.index
    )
    for each in report.findings:
        assert all(0 <= row < len(frame) for row in each.rows)
        assert len(each.rows) == min(10, each.count)
    assert report.text()


@pytest.mark.shared
@pytest.mark.parametrize("name", ["elpv", "maintie", "mosi", "cwru", "excavators", "cmapss_fd001"])
def test_honest_jobs_on_real_data_are_not_refused(name: str, shared: Path) -> None:
    folder = Path(__file__).resolve().parents[2] / "bench" / "scoreboard" / "jobs"
    job = load_job(folder / f"{name}.yaml")
    source = shared / name / Path(job.table).name
    table = open_table(source)
    report = check(job, table, split_job(table, job))
    assert report.errors == []
    assert report.leaks == []
