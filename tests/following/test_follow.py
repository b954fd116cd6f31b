"""A folder is answered row for row, once, though the process dies again and again."""

import csv
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from modalloy.errors import RequestError, TableError
from modalloy.following import lines
from modalloy.following.follow import answer_each, confined, follow, step
from modalloy.following.inbox import Inbox, Kinds
from modalloy.following.journal import Answered, Journal, Taken
from modalloy.following.outbox import Outbox


def doubled(rows: Sequence[Taken]) -> list[Answered]:
    """An answer that tells which row it is of; `bad` stops the whole batch."""
    if any(row.cells.get("load") == "bad" for row in rows):
        raise TableError("column 'load': 'bad' is no number")
    return [
        Answered(r.source, r.number, {"twice": 2 * float(r.cells.get("load") or 0)}, 1)
        for r in rows
    ]


class Place:
    """A folder that is followed, and what was said."""

    def __init__(self, folder: Path, kinds: Kinds = Kinds()) -> None:  # noqa: B008 it is a tuple
        self.folder = folder / "inbox"
        self.folder.mkdir(exist_ok=True)
        self.journal = Journal(folder / "inbox.sqlite")
        self.inbox = Inbox(self.folder, self.journal, kinds)
        self.outbox = Outbox(self.folder / "answers", self.journal)
        self.said: list[str] = []

    def step(self) -> bool:
        return step(self.inbox, self.outbox, doubled, self.said.append)

    def answers(self, name: str) -> list[dict[str, str]]:
        with open(self.folder / "answers" / name, newline="") as file:
            return list(csv.DictReader(file))


def test_rows_come_and_are_answered_once(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (place.folder / "shift.csv").write_text("load,note\n1,a\nbad,b\n3,c\n4")
    while place.step():
        pass
    assert [
        (r["followed.number"], r["twice"])
        for r in place.answers("shift.csv.answers.csv")
        if r["twice"]
    ] == [
        ("0", "2.0"), ("2", "6.0"),
    ]  # fmt: skip
    (bad,) = [r for r in csv_rows(place.folder / "answers") if r["followed.error"]]
    assert bad["followed.number"] == "1"
    assert "'bad' is no number" in bad["followed.error"]
    with open(place.folder / "shift.csv", "a") as file:
        file.write(",d\n")
    while place.step():
        pass
    assert [r["twice"] for r in place.answers("shift.csv.answers.csv") if r["twice"]] == [
        "2.0", "6.0", "8.0",
    ]  # fmt: skip
    assert place.said == []


def csv_rows(folder: Path) -> list[dict[str, str]]:
    found = []
    for path in sorted(folder.glob("*.csv")):
        with open(path, newline="") as file:
            found += list(csv.DictReader(file))
    return found


def test_files_wait_until_they_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modalloy.following.inbox.STILL_S", 0.0)
    place = Place(tmp_path, Kinds(image="photo"))
    Image.new("RGB", (4, 4)).save(place.folder / "part-1.png")
    place.inbox.look(0.0)
    assert place.journal.backlog() == 0
    place.inbox.look(1.0)
    (taken,) = place.journal.waiting(9)
    assert (taken.source, taken.number) == ("part-1.png", 0)
    assert taken.cells == {"photo": "part-1.png"}
    assert place.inbox.look(2.0) == (0, [])


def test_beside_a_table_pictures_are_what_its_cells_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modalloy.following.inbox.STILL_S", 0.0)
    place = Place(tmp_path, Kinds(image="photo"))
    Image.new("RGB", (4, 4)).save(place.folder / "part-1.png")
    pd.DataFrame({"load": [1.0, 2.0]}).to_parquet(place.folder / "t.parquet")
    for now in (0.0, 1.0, 2.0):
        place.inbox.look(now)
    taken = place.journal.waiting(9)
    assert [(t.source, t.number, dict(t.cells)) for t in taken] == [
        ("t.parquet", 0, {"load": 1.0}),
        ("t.parquet", 1, {"load": 2.0}),
    ]


def test_what_cannot_be_read_is_said_once_and_left(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (place.folder / "a.xyz").write_text("?")
    (place.folder / "b.csv").write_text("x,x\n1,2\n")
    (place.folder / ".hidden.csv").write_text("load\n1\n")
    (tmp_path / "outside.csv").write_text("load\n1\n")
    (place.folder / "link.csv").symlink_to(tmp_path / "outside.csv")
    for _ in range(3):
        place.step()
    assert len(place.said) == 2
    assert "a.xyz: is none of" in place.said[0]
    assert "two columns are called 'x'" in place.said[1]
    assert place.journal.counts()["taken"] == 0


def test_a_file_that_was_refused_and_mended_is_read(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (place.folder / "b.csv").write_text("load,load\n1,2\n")
    place.step()
    assert "two columns are called 'load'" in place.said[0]
    (place.folder / "b.csv").write_text("load,note\n1,a\n")
    while place.step():
        pass
    assert [r["twice"] for r in place.answers("b.csv.answers.csv")] == ["2.0"]


def test_a_file_of_the_same_name_is_another_source(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (place.folder / "a.csv").write_text("load\n1\n2\n")
    place.step()
    (place.folder / "a.csv").write_text("load\n9\n")
    place.step()
    rows = csv_rows(place.folder / "answers")
    assert [(r["followed.source"], r["twice"]) for r in rows] == [
        ("a.csv", "2.0"), ("a.csv", "4.0"), ("a.csv~2", "18.0"),
    ]  # fmt: skip
    assert place.said == ["a.csv: was replaced by another file; its rows are of a.csv~2."]


def test_other_columns_begin_another_file(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for number, answer in enumerate(({"a": 1}, {"b": 2}, {"a": 3}, None)):
        place.journal.take("s", [(number, {})])
        fault = None if answer else "no"
        place.journal.answered([Answered("s", number, answer, 1, fault)])
        place.outbox.publish()
    assert [r["a"] for r in place.answers("s.answers.csv")] == ["1", "3"]
    assert [r["b"] for r in place.answers("s.answers-2.csv")] == ["2", ""]


def test_paths_stay_in_the_folder(tmp_path: Path) -> None:
    row = Taken("s", 0, {"photo": "a/b.png", "wave": "[1, 2]", "vib": "c.mat#de", "note": "../x"})
    (found,) = confined([row], ["photo", "wave", "vib"], tmp_path)
    assert found["photo"] == str(tmp_path / "a" / "b.png")
    assert found["wave"] == "[1, 2]"
    assert found["vib"] == f"{tmp_path / 'c.mat'}#de"
    for path in ("../x.png", "/etc/passwd", "a/../../x"):
        with pytest.raises(TableError, match="lies outside the folder"):
            confined([Taken("s", 0, {"photo": path})], ["photo"], tmp_path)


@pytest.mark.parametrize("status", [503, 507])
def test_what_passes_by_itself_is_no_fault_of_a_row(tmp_path: Path, status: int) -> None:
    """A server that ends or is busy, and a full disk: the rows wait, and are answered later."""
    place = Place(tmp_path)
    (place.folder / "a.csv").write_text("load\n1\n2\n")

    def busy(rows: Sequence[Taken]) -> list[Answered]:
        raise RequestError("ask again.", status)

    with pytest.raises(RequestError, match="ask again"):
        step(place.inbox, place.outbox, busy, place.said.append)
    assert place.journal.counts()["faulty"] == 0
    while place.step():
        pass
    assert [r["twice"] for r in place.answers("a.csv.answers.csv")] == ["2.0", "4.0"]
    refused = answer_each(slow, [Taken("a.csv", 0, {})])
    assert refused[0].fault == "too slow."


def slow(rows: Sequence[Taken]) -> list[Answered]:
    raise RequestError("too slow.", 504)


def test_answers_that_were_taken_away_begin_anew(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (place.folder / "a.csv").write_text("load\n1\n")
    while place.step():
        pass
    (place.folder / "answers" / "a.csv.answers.csv").unlink()
    with open(place.folder / "a.csv", "a") as file:
        file.write("2\n")
    for turn in (Place(tmp_path), Place(tmp_path)):
        while turn.step():
            pass
    assert [r["twice"] for r in place.answers("a.csv.answers.csv")] == ["4.0"]


def test_files_of_odd_names_and_cells_stop_nobody(tmp_path: Path) -> None:
    place = Place(tmp_path)
    Path(os.fsdecode(bytes(place.folder) + b"/a\xff.csv")).write_text("load\n1\n")
    odd = '{"load": "\\ud800"}\n' + "[" * 99_999 + '\n{"load": 2}\n'
    (place.folder / "b.jsonl").write_text(odd)
    (place.folder / "c.csv").write_bytes(b"load,wave\n1," + b"7;" * 99_999 + b"\n2\n3,\n")
    for _ in range(3):
        place.step()
    assert len(place.said) == 1
    assert "its name is no UTF-8" in place.said[0]
    told = {
        (r["followed.source"], r["followed.number"]): r for r in csv_rows(place.folder / "answers")
    }
    faults = {at: r["followed.error"] for at, r in told.items() if r["followed.error"]}
    assert {*faults} == {("b.jsonl", "0"), ("b.jsonl", "1"), ("c.csv", "1")}
    assert "nested too deeply" in faults["b.jsonl", "1"]
    good = {at: r["twice"] for at, r in told.items() if not r["followed.error"]}
    assert good == {("b.jsonl", "2"): "4.0", ("c.csv", "0"): "2.0", ("c.csv", "2"): "6.0"}


def test_files_that_are_done_are_not_read_at_every_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modalloy.following.inbox.STILL_S", 0.0)
    place = Place(tmp_path, Kinds(image="photo"))
    for n in range(9):
        Image.new("RGB", (4, 4), (n, n, n)).save(place.folder / f"{n}.png")
    (place.folder / "notes.doc").write_text("?")
    for now in range(4):
        place.inbox.look(float(now))
    assert place.journal.backlog() == 9
    read = []

    def start_of(path: Path, length: int) -> str:
        read.append(path)
        return real(path, length)

    real = lines.start_of
    for room in ("lines", "inbox"):
        monkeypatch.setattr(f"modalloy.following.{room}.start_of", start_of)
    assert place.inbox.look(9.0) == (0, [])
    assert read == []
    with open(place.folder / "3.png", "ab") as file:
        file.write(b"longer")
    place.inbox.look(10.0)
    assert {path.name for path in read} == {"3.png"}


def test_cells_go_once_they_are_answered(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (place.folder / "a.csv").write_text("load\n1\n")
    place.step()
    assert place.journal._rows("select cells from row") == [("{}",)]
    assert place.answers("a.csv.answers.csv")[0]["twice"] == "2.0"
    assert Place(tmp_path).step() is False


def test_it_stops_when_told(tmp_path: Path) -> None:
    place, stop = Place(tmp_path), threading.Event()
    (place.folder / "a.csv").write_text("load\n1\n")
    given = {"stop": stop, "say": place.said.append, "every_s": 0.01}
    thread = threading.Thread(
        target=follow, args=(place.inbox, place.outbox, doubled), kwargs=given
    )
    thread.start()
    path = place.folder / "answers" / "a.csv.answers.csv"
    for _ in range(500):
        if path.exists() and len(path.read_text().splitlines()) == 2:
            break
        stop.wait(0.01)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert [r["twice"] for r in csv_rows(place.folder / "answers")] == ["2.0"]


# Follows a folder, and dies by SIGKILL at a write that is told: how many of them it does before.
KILLED = """
import os, signal, sys
from pathlib import Path
from modalloy.following import journal as j
from test_follow import Place
left, folder = int(sys.argv[2]), Path(sys.argv[1])
place = Place(folder)
def die():
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
connection = place.journal._db
class Dying:
    in_transaction = property(lambda self: connection.in_transaction)
    def execute(self, question, *given):
        if question.split()[0] in ("commit", "begin"):
            die()
        return connection.execute(question, *given)
    executemany = connection.executemany
    close = connection.close
place.journal._db = Dying()
fsync = os.fsync
def dying(file):
    die()
    return fsync(file)
os.fsync = dying
while place.step():
    pass
"""


def test_killed_at_every_write_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.journal.close()
    (place.folder / "a.csv").write_text("load\n" + "".join(f"{n}\n" for n in range(40)))
    (place.folder / "b.jsonl").write_text(json.dumps({"load": 7}) + "\n")
    killed = 0
    for before in range(40):
        command = [sys.executable, "-c", KILLED, str(tmp_path), str(before % 9)]
        done = subprocess.run(command, cwd=Path(__file__).parent, timeout=60)
        killed += done.returncode == -9
        if done.returncode == 0:
            break
    assert killed >= 5
    rows = csv_rows(place.folder / "answers")
    assert [r["twice"] for r in rows if r["followed.source"] == "a.csv"] == [
        str(2.0 * n) for n in range(40)
    ]
    assert [r["twice"] for r in rows if r["followed.source"] == "b.jsonl"] == ["14.0"]


def test_a_fault_of_our_own_is_an_answer_to_its_row_and_ends_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (place.folder / "a.csv").write_text("load,note\n1,a\nsecret,b\n3,c\n")  # float() fails on it
    while place.step():
        pass
    rows = place.answers("a.csv.answers.csv")
    assert [r["twice"] for r in csv_rows(place.folder / "answers") if r["twice"]] == ["2.0", "6.0"]
    (said,) = [r["followed.error"] for r in rows if r["followed.error"]] or [""]
    assert said == "a fault of this program (ValueError) keeps it from being answered"


@pytest.mark.parametrize("status", [503, 504, 507])
def test_rows_wait_for_a_service_that_has_no_time(tmp_path: Path, status: int) -> None:
    place, asked = Place(tmp_path), []
    (place.folder / "a.csv").write_text("load,note\n1,a\n2,b\n")

    def late(rows: Sequence[Taken]) -> list[Answered]:
        asked.append(len(rows))
        if len(asked) == 1:
            raise RequestError("no answer within 30 s; ask again.", status)
        return doubled(rows)

    with pytest.raises(RequestError):
        step(place.inbox, place.outbox, late, place.said.append)
    step(place.inbox, place.outbox, late, place.said.append)
    assert asked == [2, 2]
    assert [r["twice"] for r in place.answers("a.csv.answers.csv")] == ["2.0", "4.0"]


def test_a_file_that_cannot_be_read_holds_no_other_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path)
    for name in ("a.csv", "b.csv"):
        (place.folder / name).write_text("load,note\n1,a\n")
    taken = place.inbox._lines

    def failing(path: Path) -> tuple[int, list[str]]:
        if path.name == "a.csv":
            raise RecursionError
        return taken(path)

    monkeypatch.setattr(place.inbox, "_lines", failing)
    while place.step():
        pass
    assert [r["twice"] for r in place.answers("b.csv.answers.csv")] == ["2.0"]
    assert place.said == [
        f"{place.folder / 'a.csv'}: cannot be read (RecursionError); mend it, or take it away."
    ]


def test_a_name_with_a_wave_is_no_file_that_was_replaced(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (place.folder / "a~2.csv").write_text("load,note\n1,a\n")
    while place.step():
        pass
    assert place.said == []


def test_files_in_the_cells_of_a_parquet_table_are_taken_in(tmp_path: Path) -> None:
    place = Place(tmp_path)
    path = place.folder / "t.parquet"
    frame = pd.DataFrame({"photo": [b"png", None], "back": [{"bytes": b"x", "path": None}] * 2})
    frame.to_parquet(path)
    for now in (0.0, 2.0):
        place.inbox.look(now)
    (first, second) = place.journal.waiting(9)
    assert dict(first.cells) == {"photo": {"base64": "cG5n"}, "back": {"base64": "eA=="}}
    assert second.cells["photo"] is None
