"""Only whole lines of a growing file are rows, and each has its number for ever."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalloy.errors import TableError
from modalloy.following.lines import arrived, first_place, same_file, whole


def read(path: Path) -> tuple[list[tuple[int, dict]], dict[int, str]]:
    place = first_place(path)
    if place is None:
        return [], {}
    found = arrived(path, place)
    return [(n, dict(c)) for n, c in found.rows], found.faults


def test_a_line_that_is_not_ended_waits(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("load,note\n1,ok\n2,lo")
    place = first_place(path)
    assert place is not None
    found = arrived(path, place)
    assert found.rows == [(0, {"load": "1", "note": "ok"})]
    with open(path, "a") as file:
        file.write('ud\n3,"two\nlines"\n,\n4\n')
    found = arrived(path, found.place)
    assert found.rows == [
        (1, {"load": "2", "note": "loud"}),
        (2, {"load": "3", "note": "two\nlines"}),
    ]
    assert found.faults == {3: "1 cells where the heading has 2 columns"}
    assert found.place.bytes == path.stat().st_size


def test_the_heading_has_to_be_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("load,no")
    assert first_place(path) is None
    path.write_text("")
    assert first_place(path) is None


def test_separators_and_a_mark_of_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("﻿Last;Größe\n3,5;zwölf\n".encode())
    assert read(path) == ([(0, {"Last": "3,5", "Größe": "zwölf"})], {})


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"load": 1.5}\n[1]\n{"load": \n')
    rows, faults = read(path)
    assert rows == [(0, {"load": 1.5})]
    assert faults[1] == "a JSON object with a value a column is expected"
    assert faults[2].startswith("no JSON")


def test_another_file_of_the_name_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("load\n1\n2\n")
    place = first_place(path)
    assert place is not None
    place = arrived(path, place).place
    assert same_file(path, place)
    path.write_text("load\n1\n2\n3\n")
    assert same_file(path, place)
    path.write_text("load\n7\n8\n3\n")
    assert not same_file(path, place)
    path.write_text("load\n1\n")
    assert not same_file(path, place)


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"a,a\n1,2\n", "called 'a'; rename one"), ("a,b\n1,2\n".encode("utf-16"), "in UTF-16")],
)
def test_headings_that_cannot_be_followed(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    with pytest.raises(TableError, match=why):
        first_place(path)


def test_letters_of_another_encoding_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"note\nok\n\xe4\xe9\n")
    place = first_place(path)
    assert place is not None
    with pytest.raises(TableError, match="not UTF-8"):
        arrived(path, place)


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8), st.data())
def test_however_a_file_is_cut_its_rows_come_once(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]], data: st.DataObject
) -> None:
    import csv
    import io

    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(cells)
    body = text.getvalue().encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=4)))
    path = tmp_path_factory.mktemp("cut") / "a.csv"
    path.write_bytes(b"left,right\n")
    place = first_place(path)
    assert place is not None
    rows, last = [], 0
    for cut in [*cuts, len(body)]:
        with open(path, "ab") as file:
            file.write(body[last:cut])
        last = max(last, cut)
        found = arrived(path, place)
        rows += found.rows
        place = found.place
    expected = [(a or None, b or None) for a, b in cells if a.strip() or b.strip()]
    assert [(r["left"], r["right"]) for _, r in rows] == expected
    assert [n for n, _ in rows] == list(range(len(rows)))


def test_quotes_hide_the_ends_of_lines() -> None:
    assert whole(b'a\n"b\n', ",") == 2
    assert whole(b'a\n"b\n', None) == 5
    assert whole(b'"a\n""b"\nc', ",") == 8
    assert whole(b'x,"a\n",y\n"b"\n"c', ",") == 13
    assert whole(b'x;"a\n', ",") == 5  # with this separator the cell does not begin there


def test_a_quotation_mark_inside_a_cell_holds_no_row_back(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('load,note\n1,crack 5" long\n2,"so\nso"\n')
    assert read(path)[0] == [
        (0, {"load": "1", "note": 'crack 5" long'}),
        (1, {"load": "2", "note": "so\nso"}),
    ]


def test_a_line_that_is_nested_without_end_is_a_fault_of_its_row_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("[" * 100_000 + '\n{"load": 1}\n')
    rows, faults = read(path)
    assert rows == [(1, {"load": 1})]
    assert faults == {0: "no row of a table: it is nested too deeply"}
