"""A row that was taken is there after any end of the process, once."""

import sqlite3
from pathlib import Path

import pytest

from modalloy.errors import RunError
from modalloy.following.journal import Answered, Journal, Place, Taken

PLACE = Place(10, 2, {"names": ["a"]}, "x")


def test_a_row_is_taken_once_and_keeps_its_answer(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    assert journal.take("f.csv", [(0, {"a": 1}), (1, {"a": None})], PLACE) == 2
    assert journal.take("f.csv", [(1, {"a": 5}), (2, {"a": 6})]) == 1
    assert journal.waiting(2) == [Taken("f.csv", 0, {"a": 1}), Taken("f.csv", 1, {"a": None})]
    journal.answered(
        [Answered("f.csv", 0, {"kind": "x"}, 1), Answered("f.csv", 1, None, None, "no")]
    )
    journal.answered([Answered("f.csv", 0, {"kind": "y"}, 2)])
    journal.close()
    again = Journal(tmp_path / "j.sqlite")
    assert again.place("f.csv") == PLACE
    assert again.place("g.csv") is None
    assert again.answer_to("f.csv", 0) == Answered("f.csv", 0, {"kind": "x"}, 1)
    assert again.answer_to("f.csv", 2) is None
    assert [t.number for t in again.waiting(9)] == [2]
    assert [a.number for a in again.unpublished(9)] == [0, 1]
    again.published(again.unpublished(1))
    assert again.counts() == {"taken": 3, "answered": 1, "faulty": 1, "published": 1}
    again.publish_again("f.csv", 0)
    assert [a.number for a in again.unpublished(9)] == [0, 1]
    assert again.next_number("f.csv") == 3
    assert again.next_number("other") == 0


def test_a_change_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")

    def rows() -> "list[tuple[int, dict[str, int]]]":
        yield 0, {"a": 1}  # type: ignore[misc]
        raise ValueError("a file that breaks off")

    with pytest.raises(ValueError, match="breaks off"):
        journal.take("f.csv", rows(), PLACE)
    assert journal.counts()["taken"] == 0
    assert journal.place("f.csv") is None


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "j.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(RunError, match=r"j\.sqlite: cannot be used"):
        Journal(tmp_path / "j.sqlite")
    assert (tmp_path / "j.sqlite").read_bytes() == b"not a database" * 100


def test_a_full_disk_is_a_sentence_and_nothing_is_lost(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    journal.take("f", [(0, {"a": 1})])
    pages = journal._rows("pragma page_count")[0][0]
    journal._rows(f"pragma max_page_count = {pages}")
    with pytest.raises(RunError, match="what it holds is unharmed"):
        journal.take("f", [(n, {"a": "x" * 2000}) for n in range(1, 50)])
    assert journal.counts()["taken"] == 1
    assert isinstance(journal._db, sqlite3.Connection)
