"""Rows that were answered come back with their cells, answers and labels; nothing is kept twice."""

import json
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from modalloy.deployment.log_query import Which
from modalloy.deployment.log_rows import as_frame
from modalloy.deployment.row_log import RowLog

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


@pytest.fixture
def log(tmp_path: Path) -> RowLog:
    """An empty log of a model with two tasks, one of two columns."""
    tasks = {"kind": ["kind_code"], "places": ["boxes", "names"]}
    (tmp_path / "about.json").write_text(json.dumps({"tasks": tasks, "inputs": ["x"]}))
    return RowLog(tmp_path)


def answers(rows: int) -> pd.DataFrame:
    return pd.DataFrame({"kind": ["ok"] * rows, "kind.probability": np.linspace(0.5, 1, rows)})


def add(log: RowLog, rows: list[dict], request: str = "a", at: float = 0.0) -> list[str]:
    given = {"version": 1, "request": request, "source": "line 1", "at": at}
    return log.add(rows, answers(len(rows)), **given)


def test_cells_of_every_kind_come_back(log: RowLog, tmp_path: Path) -> None:
    (tmp_path / "sound.WAV").write_bytes(b"RIFF....WAVE")
    row = {
        "photo": PNG,
        "sound": tmp_path / "sound.WAV",
        "several": [PNG, None],
        "note": "crack",
        "load": np.float32(1.5),
        "far": float("inf"),
        "count": 3,
        "none": float("nan"),
        "when": pd.Timestamp("2024-01-02 03:04"),
        "never": pd.NaT,
        "wave": np.array([1.0, 2.0]),
        "there": True,
    }
    (name,) = add(log, [row], at=60.0)
    found = log.frame().iloc[0].to_dict()
    assert found["row_id"] == name
    assert (found["at"], found["version"]) == (pd.Timestamp("1970-01-01 00:01"), 1)
    assert (tmp_path / found["photo"]).read_bytes() == PNG
    assert found["photo"].endswith(".png")
    assert found["sound"].endswith(".wav")
    assert (tmp_path / found["sound"]).read_bytes() == b"RIFF....WAVE"
    assert found["several"] == [found["photo"], None]
    same = {n: found[n] for n in ("note", "load", "far", "count", "wave", "there", "when")}
    assert same == {
        "note": "crack",
        "load": 1.5,
        "far": float("inf"),
        "count": 3,
        "wave": [1.0, 2.0],
        "there": True,
        "when": datetime(2024, 1, 2, 3, 4),
    }
    assert found["none"] is None
    assert found["never"] is None
    assert len(list((tmp_path / "media").iterdir())) == 2
    told = log.answers().iloc[0]
    assert (told["row_id"], told["kind"], told["kind.probability"]) == (name, "ok", 0.5)


def test_the_same_request_is_kept_once(log: RowLog) -> None:
    first = add(log, [{"x": 1}, {"x": 2}])
    assert add(log, [{"x": 1}, {"x": 2}]) == first
    assert log.rows() == 2
    with pytest.raises(ma.RunError, match="request 'a' of 'line 1' was kept before with other"):
        add(log, [{"x": 1}, {"x": 3}])
    assert log.rows() == 2


def test_labels_are_all_kept_and_the_newest_counts(log: RowLog) -> None:
    one, two = add(log, [{"x": 1}, {"x": 2}])
    assert log.label(one, "kind", "ok", source="ann", at=1.0) == 1
    log.label(one, "kind", "crack", source="bob", at=2.0)
    log.label(two, "places", {"boxes": [[0, 0, 1, 1]], "names": ["dent"]}, source="ann", at=3.0)
    assert [(k.label, k.source, k.at) for k in log.labels()][:2] == [
        ("ok", "ann", 1.0),
        ("crack", "bob", 2.0),
    ]
    frame = log.frame(Which(labelled=True))
    assert frame["kind_code"].tolist() == ["crack", None]
    assert frame["names"].tolist()[1] == ["dent"]
    assert log.frame(Which(upto=1))["kind_code"].tolist() == ["ok", None]
    assert log.last_label() == 3
    assert len(log.frame(Which(labelled=False))) == 0


def test_what_a_row_claims_of_its_answer_is_no_label(log: RowLog) -> None:
    add(log, [{"x": 1, "kind_code": "crack"}])
    assert log.frame()["kind_code"].tolist() == [None]


def test_labels_that_belong_to_nothing_get_a_sentence(log: RowLog) -> None:
    (one,) = add(log, [{"x": 1}])
    for row, task, label, why in (
        ("0123", "kind", "ok", "row '0123' is not in the log"),
        (one, "knd", "ok", "has no task 'knd'; it has kind, places"),
        (one, "places", [1], "a label of 'places' gives boxes, names by"),
    ):
        with pytest.raises(ma.RunError, match=why):
            log.label(row, task, label, source="ann", at=0.0)
    assert log.labels() == []


def test_rows_by_time_and_columns_of_the_same_name(log: RowLog) -> None:
    for at in (10.0, 20.0, 30.0):
        add(log, [{"version": at}], request=str(at), at=at)
    frame = log.frame(Which(since=20.0, until=30.0))
    assert frame["version"].tolist() == [20.0]
    assert frame["log.version"].tolist() == [1]
    assert frame.attrs["logged"]["version"] == "log.version"
    assert len(log.answers(Which(since=20.0))) == 2


def test_whole_numbers_beside_nothing_stay_whole(log: RowLog) -> None:
    add(log, [{"x": 7}, {"y": 1}])
    first, second = log.frame()["x"].tolist()
    assert repr(first) == "7"
    assert second is None


def test_the_oldest_without_a_label_go_first(tmp_path: Path, log: RowLog) -> None:
    names = [add(log, [{"x": PNG + bytes([n])}], request=str(n), at=float(n))[0] for n in range(9)]
    log.label(names[0], "kind", "ok", source="ann", at=9.0)
    assert log.dropped() == ""
    small = RowLog(tmp_path, keep_gb=5e-6)
    names += add(small, [{"x": PNG + b"z"}], request="last", at=9.0)
    kept = small.frame()["row_id"].tolist()
    assert names[0] in kept
    assert names[1] not in kept
    assert kept[1:] == names[-len(kept) + 1 :]
    assert "rows without a label" in small.dropped()
    files = {Path(cell).name for cell in small.frame()["x"]}
    assert {path.name for path in (tmp_path / "media").iterdir()} == files
    again = add(small, [{"x": PNG + b"z"}], request="again", at=10.0)
    assert again[0] in small.frame()["row_id"].tolist()


def test_a_full_disk_keeps_nothing_of_a_request(
    log: RowLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(log, [{"x": 1}])
    log._base.execute("PRAGMA max_page_count = 1")
    pages = log._base.execute("PRAGMA page_count").fetchone()[0]
    log._base.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(ma.RunError, match=r"rows\.sqlite: cannot be used .*full"):
        add(log, [{"x": "y" * 5000}, {"x": "z" * 50_000}], request="large")
    assert log.rows() == 1
    log._base.execute("PRAGMA max_page_count = 100000")
    assert len(add(log, [{"x": "y" * 5000}], request="large")) == 1


def test_a_cell_that_is_none_and_a_file_that_is_not_there(log: RowLog, tmp_path: Path) -> None:
    with pytest.raises(ma.TableError, match="holds object, which no table does"):
        add(log, [{"x": 1}, {"x": object()}])
    with pytest.raises(ma.TableError, match=r"gone\.png: cannot be read"):
        add(log, [{"x": tmp_path / "gone.png"}])
    with pytest.raises(ma.TableError, match="1 rows came with 2 answers"):
        log.add([{}], answers(2), version=1, request="a", source="s", at=0.0)
    assert log.rows() == 0


def test_what_is_no_log_gets_a_sentence(tmp_path: Path, log: RowLog) -> None:
    log.close()
    (tmp_path / "rows.sqlite").write_bytes(b"no database, but a text that is long enough" * 40)
    with pytest.raises(ma.RunError, match=r"rows\.sqlite: cannot be used"):
        RowLog(tmp_path)


def test_two_processes_see_the_same(tmp_path: Path, log: RowLog) -> None:
    other = RowLog(tmp_path)
    add(log, [{"x": 1}])
    add(other, [{"x": 2}], request="b")
    assert log.rows() == other.rows() == 2
    base = sqlite3.connect(tmp_path / "rows.sqlite")
    assert base.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    base.close()


def test_a_long_log_is_laid_out_in_one_pass_a_column() -> None:
    reads = []

    class Row(dict):
        def get(self, name, default=None):
            reads.append(name)
            return super().get(name, default)

    records = [Row(load=float(i), note="x") for i in range(50)]
    frame = as_frame(records, [name for row in records for name in row])
    assert frame["load"].tolist() == [float(i) for i in range(50)]
    assert len(reads) == 2 * 50  # not once more for every row that names the column


def test_rows_that_are_asked_for_are_those_that_a_look_at_all_finds(log: RowLog) -> None:
    names = []
    for n in range(60):
        at = float((7 * n) % 20)  # several at one moment, and not in the order they came
        names += add(log, [{"x": n}], request=str(n), at=at)
    for n in range(0, 60, 7):
        log.label(names[n], "kind", "ok", source="ann", at=0.0)
    for n in range(0, 60, 10):
        label = {"boxes": [], "names": ["dent"]}
        log.label(names[n], "places", label, source="ann", at=0.0)
    every = log.frame()
    order = every["row_id"].tolist()
    assert order == [names[n] for n in sorted(range(60), key=lambda n: ((7 * n) % 20, n))]
    kind, places = ({names[n] for n in range(0, 60, step)} for step in (7, 10))

    def found(**which: Any) -> list[str]:
        got = log.answers(Which(**which))["row_id"].tolist()
        assert log.frame(Which(**which))["row_id"].tolist() == got
        return got

    assert found(newest=5) == order[-5:]
    assert found(labelled=True) == [n for n in order if n in kind | places]
    assert found(labelled=False, task="kind", newest=9) == [n for n in order if n not in kind][-9:]
    assert found(labelled=True, task="places") == [n for n in order if n in places]
    assert found(labelled=True, upto=2) == [n for n in order if n in {names[0], names[7]}]
    assert found(ids=[names[1], "x", names[3]]) == [names[3], names[1]]
    assert found(spread=4) == [order[i] for i in (0, 20, 39, 59)]
    assert found(spread=100) == order
    assert found(newest=0) == found(ids=[]) == []
    assert (log.labelled("kind"), log.labelled(), log.labelled(after=9)) == (9, 14, 6)


def test_a_full_log_lets_go_a_part_at_a_time(
    tmp_path: Path, log: RowLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modalloy.deployment.log_room.AT_ONCE", 3)
    for n in range(12):
        add(log, [{"x": n}], request=str(n), at=float(n))
    small = RowLog(tmp_path, keep_gb=3e-6)
    for n in range(12, 18):
        before = small.rows()
        add(small, [{"x": n}], request=str(n), at=float(n))
        assert small.rows() >= before + 1 - 3
    kept = small.frame()["x"].tolist()
    assert kept == [*range(18 - len(kept), 18)]
    assert len(kept) <= 5


def test_files_of_rows_that_were_not_kept_are_gone(log: RowLog, tmp_path: Path) -> None:
    add(log, [{"x": PNG + b"1"}])
    kept = {path.name for path in (tmp_path / "media").iterdir()}
    with pytest.raises(ma.RunError, match="was kept before with other cells"):
        add(log, [{"x": PNG + b"2"}])
    assert {path.name for path in (tmp_path / "media").iterdir()} == kept
    add(log, [{"x": PNG + b"2"}], request="b")
    assert len([*(tmp_path / "media").iterdir()]) == 2
