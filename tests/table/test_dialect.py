"""Text files as plants write them: read, with what was left out said, or refused with the cause."""

from pathlib import Path

import numpy as np
import openpyxl
import pytest

from modalloy.errors import TableError
from modalloy.table.open_table import open_table
from modalloy.table.table import Table

BODY = [(5.25, 20.5, "good"), (4.75, 21.0, "bad"), (6.5, 19.25, "good")]


def body(mark: str = ",") -> str:
    return "".join(f"{a}{mark}{b}{mark}{c}\n" for a, b, c in BODY)


def opened(folder: Path, text: str | bytes, **options: object) -> Table:
    path = folder / "t.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return open_table(path, **options)


def holds_the_body(table: Table, columns: list[str]) -> None:
    assert table.columns == columns
    assert table.rows == len(BODY)
    for at, column in enumerate(columns[:3]):
        assert table.cells(column) == [row[at] for row in BODY]


HEAD = "pressure,temp,fault\n"
SENSIBLE = {
    "pipes": HEAD.replace(",", "|") + body("|"),
    "tabs": HEAD.replace(",", "\t") + body("\t"),
    "semicolons": HEAD.replace(",", ";") + body(";"),
    "trailing rows": HEAD + body() + ",,\n" * 20 + "\n\n",
    "mac": (HEAD + body()).replace("\n", "\r"),
    "windows": (HEAD + body()).replace("\n", "\r\n"),
    "mark of byte order": "\ufeff" + HEAD + body(),
    "utf-16": ("\ufeff" + HEAD + body()).encode("utf-16-le"),
    "no end": (HEAD + body()).rstrip("\n"),
    "blank first lines": "\n\n" + HEAD + body(),
    "sep": "sep=;\n" + HEAD.replace(",", ";") + body(";"),
}


@pytest.mark.parametrize("spool_above_mb", [256, 0])
@pytest.mark.parametrize("name", SENSIBLE)
def test_a_sensible_file_is_read_without_a_word(
    name: str, spool_above_mb: float, tmp_path: Path
) -> None:
    table = opened(tmp_path, SENSIBLE[name], spool_above_mb=spool_above_mb)
    holds_the_body(table, ["pressure", "temp", "fault"])
    assert table.notes == ()


ABOVE = {
    "comments": ("# bench 3\n# 2025-03-01\n" + HEAD + body(), "2 lines above the heading left out"),
    "title": ("Line 3,,\n" + HEAD + body(), "1 line above the heading left out: 'Line 3'"),
    "settings": ("Line 3\nfrom,May\n\n" + HEAD + body(), "2 lines above the heading left out"),
    "units": (HEAD + "bar,°C,\n" + body(), "a line of units below the heading is left out"),
    "brackets": (HEAD + "[bar],[K],[-]\n" + body(), "a line of units below the heading is left"),
    "commented heading": ("# made by a\n# pressure,temp,fault\n" + body(), "'# made by a'"),
}


@pytest.mark.parametrize("spool_above_mb", [256, 0])
@pytest.mark.parametrize("name", ABOVE)
def test_what_is_left_out_is_said(name: str, spool_above_mb: float, tmp_path: Path) -> None:
    text, note = ABOVE[name]
    if name == "commented heading":  # only numbers show that the first line holds no names
        text = text.replace("good", "1").replace("bad", "0")
    table = opened(tmp_path, text, spool_above_mb=spool_above_mb)
    assert table.columns == ["pressure", "temp", "fault"]
    assert table.rows == len(BODY)
    assert table.cells("temp") == [row[1] for row in BODY]
    assert len(table.notes) == 1
    assert note in table.notes[0]


def test_an_odd_first_row_is_no_line_of_units(tmp_path: Path) -> None:
    for odd in ("new,off,", "n.d.,?,", "V2,-,good", ",,", "-,-,-"):
        table = opened(tmp_path, HEAD + odd + "\n" + body())
        assert table.rows == len(BODY) + 1
        assert table.notes == ()


def test_separators_in_quotes_part_nothing(tmp_path: Path) -> None:
    head = '"pressure, bar";"temp, inside; left";fault\n'
    table = opened(tmp_path, head + body(";"))
    holds_the_body(table, ["pressure, bar", "temp, inside; left", "fault"])
    table = opened(tmp_path, '"pressure\n[bar]",temp,fault\n' + body())
    holds_the_body(table, ["pressure\n[bar]", "temp", "fault"])


def test_columns_without_a_name_get_one(tmp_path: Path) -> None:
    rows = "".join(f"{a},{b},{c},,\n" for a, b, c in BODY)
    for head in ("pressure,temp,fault,,\n", HEAD):
        table = opened(tmp_path, head + rows)
        holds_the_body(table, ["pressure", "temp", "fault", "column_4", "column_5"])
        assert table.cells("column_4") == [None] * len(BODY)


@pytest.mark.parametrize("spool_above_mb", [256, 0])
def test_blank_rows_keep_the_numbers_of_those_below(spool_above_mb: float, tmp_path: Path) -> None:
    table = opened(tmp_path, "x,y\n1,a\n\n2,b\n,\n3,c\n,\n\n", spool_above_mb=spool_above_mb)
    assert table.cells("x") == [1, None, 2, None, 3]
    assert table.cells("y", np.array([4])) == ["c"]
    alone = opened(tmp_path, "x\n1\n\n3\n\n", spool_above_mb=spool_above_mb)
    assert alone.cells("x") == [1, None, 3]


REFUSED = {
    "": "no columns",
    HEAD: "no rows",
    HEAD + body() + "5.1,20.0\n": r"row 3 \(line 5 or a little below\) has 2 cells",
    "# a\n" + HEAD + body() + "5.1,20.0\n": r"row 3 \(line 6 or a little below\) has 2 cells",
    'a,b\n1,"x \\"y\\", z"\n2,c\n3,d\n': r'doubled \(""\) inside a quoted cell',
    "a,b\n1,2\n# later,3,4\n": r"row 1 .* has 3 cells",
}


@pytest.mark.parametrize("spool_above_mb", [256, 0])
@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_read_names_its_cause(
    text: str, spool_above_mb: float, tmp_path: Path
) -> None:
    with pytest.raises(TableError, match=REFUSED[text]):
        opened(tmp_path, text, spool_above_mb=spool_above_mb)


def test_a_sheet_may_have_a_title_and_units(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["Line 3"], [], ["pressure", "temp", "fault"], ["bar", "°C", None], *BODY, []):
        book.active.append(list(row))
    book.save(tmp_path / "t.xlsx")
    table = open_table(tmp_path / "t.xlsx")
    holds_the_body(table, ["pressure", "temp", "fault"])
    assert [n.split(" left out")[0] for n in table.notes] == [
        "2 rows above the heading",
        "a row of units below the heading is",
    ]


def test_units_above_a_single_row_and_a_column_of_decimal_commas(tmp_path: Path) -> None:
    table = opened(tmp_path, "time;force\n[s];[kN]\n0,5;1,5\n")
    assert table.rows == 1
    assert table.numbers("force").tolist() == [1.5]
    for text, cells in (("x\n6,5\n7,25\n", [6.5, 7.25]), ("x\n6,5\n", [6.5])):
        assert opened(tmp_path, text).cells("x") == cells


def test_odd_line_ends_above_the_heading_part_no_lines(tmp_path: Path) -> None:
    for odd in ("\x0b", "\x0c", "\x85", "\u2028"):
        table = opened(tmp_path, f"# exported{odd}by tool\nload,speed\n1,2\n3,4\n5,6\n")
        assert table.cells("load") == [1, 3, 5]
