"""The decimal sign of a table is judged by all of its columns, and one table has one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modalloy.cells.numbers import to_number
from modalloy.readers.number import NumberReader
from modalloy.table.open_table import open_table
from modalloy.table.table import Table


def table(folder: Path, text: str) -> Table:
    (folder / "t.csv").write_text(text)
    return open_table(folder / "t.csv")


def test_a_fraction_anywhere_makes_whole_cells_numbers_too(tmp_path: Path) -> None:
    found = table(tmp_path, "p;t;y\n6,5;41;good\n7;38,5;bad\n12;40;good\n")
    assert found.decimal == ","
    assert [found.kind(c) for c in found.columns] == ["number", "number", "text"]
    assert found.cells("p") == [6.5, 7.0, 12.0]
    assert found.numbers("t").tolist() == [41.0, 38.5, 40.0]
    assert found.notes == ()


def test_thousands_points_are_no_fractions(tmp_path: Path) -> None:
    found = table(tmp_path, "bar;count;cost\n6,42;3.302;23.939,50\n5,9;616;4.466,00\n")
    assert found.cells("count") == [3302, 616]
    assert found.cells("cost") == [23939.5, 4466.0]
    assert found.notes == (
        "decimals are written as in '6,42' (column 'bar'), so '3.302' (column 'count') is 3302",
    )
    taken = found.take(["count"], np.arange(2))
    assert taken["count"] == ["3.302", "616"]  # as written: the column may be one of codes
    reader = NumberReader("count", 0.0, 1.0, (0.0, 1.0))
    plain = open_table(pd.DataFrame({"count": [3302, 616]})).take(["count"], np.arange(2))
    assert np.array_equal(reader.read(taken).values["x"], reader.read(plain).values["x"])


def test_positions_beside_decimal_points_are_no_numbers(tmp_path: Path) -> None:
    found = table(tmp_path, "place;volt;power\n3,4;235.123;0.512\n1,2;234.987;3.017\n")
    assert found.decimal == "."
    assert found.cells("volt") == [235.123, 234.987]
    assert found.kind("place") == "text"
    assert "'3,4' (column 'place') is no number" in found.notes[0]


@pytest.mark.parametrize(
    ("rows", "decimal"),
    [
        ("1;2", "."),
        ("3.302;616", "."),  # nothing tells; a run tells how its training table wrote them
        ("3,302;616", "."),
        ("1.234.567;1", ","),
        ("1,234.5;1", "."),
        ("0,5;v1.2", ","),
        ("0,5;1.2", "."),
        ("-,5;?", "."),
        ("31.05.2024;10.0.0.1", "."),
    ],
)
def test_evidence(rows: str, decimal: str, tmp_path: Path) -> None:
    assert table(tmp_path, f"a;b\n{rows}\n").decimal == decimal


def test_a_file_that_tells_nothing_is_read_as_the_runs(tmp_path: Path) -> None:
    silent = table(tmp_path, "a;b\n3.302;616\n")
    assert silent.read_as(",", "ab").numbers("a").tolist() == [3302]
    assert silent.read_as(".", "ab").numbers("a").tolist() == [3.302]
    assert silent.decimal == "."  # reading it for one run changes nothing for the next


@pytest.mark.parametrize(
    ("rows", "trained", "read"),
    [
        ("3;3.021;1.0", ",", 3021),  # a version beside it has no say
        ("3;1.234;12,5", ".", 1.234),  # nor have positions
        ("3.5;3.021;x", ",", 3.021),  # all columns that show a sign show the other one
        ("3,5;3.021;x", ".", 3021),
        ("3,5;3.021;x\n3.5;616;x", ",", 3021),  # columns that show both show nothing
        ("3;3.021;0.5", None, 3.021),  # no run: the whole table is judged
    ],
)
def test_the_sign_of_a_run_holds_for_the_columns_that_it_reads_as_numbers(
    rows: str, trained: str | None, read: float, tmp_path: Path
) -> None:
    found = table(tmp_path, f"load;speed;note\n{rows}\n").read_as(trained, ["load", "speed"])
    assert to_number(found.written("speed")[0], found.decimal) == read


def test_one_odd_cell_changes_no_sign(tmp_path: Path) -> None:
    rows = "".join(f"{i},5;{i}\n" for i in range(9))
    for odd in ("n.d.;x", "0.5;0", "broken;1.5", ";"):
        found = table(tmp_path, f"a;b\n{odd}\n{rows}")
        assert found.decimal == ","
        assert [to_number(c, found.decimal) for c in found.written("a")[1:3]] == [0.5, 1.5]


def test_text_columns_of_frames_have_a_sign_too() -> None:
    found = open_table(pd.DataFrame({"a": ["6,5", "41"], "b": [0.5, 1.5]}))
    assert found.decimal == ","
    assert found.numbers("a").tolist() == [6.5, 41.0]
    assert found.numbers("b").tolist() == [0.5, 1.5]
