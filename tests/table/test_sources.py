"""Every kind of table file is read alike, in memory and through a file, and bad ones are named."""

import gzip
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from modalloy.errors import TableError
from modalloy.readers.number import NumberReader
from modalloy.table.table import Table, open_table

COLUMNS = {
    "part": ["a", "b", None, 'Grün, mit "Komma"', "e\nf"],
    "load": [1.5, None, -3.0, 4.25, 1e9],
    "count": [1, 2, 3, 4, 5],
}
ROWS = [0, 4, 2]


def write_csv(path: Path, mark: str = ",") -> Path:
    pd.DataFrame(COLUMNS).to_csv(path, index=False, sep=mark)
    return path


def write_sqlite(folder: Path) -> Path:
    path = folder / "base.db"
    with closing(sqlite3.connect(path)) as base:
        base.execute("CREATE TABLE parts (part TEXT, load, count INTEGER)")
        rows = zip(*COLUMNS.values(), strict=True)
        base.executemany("INSERT INTO parts VALUES (?, ?, ?)", rows)
        base.commit()
    return path


def write_excel(folder: Path) -> Path:
    book = openpyxl.Workbook()
    book.active.title = "Parts"
    book.active.append(list(COLUMNS))
    for row in zip(*COLUMNS.values(), strict=True):
        book.active.append(row)
    other = book.create_sheet("Other")
    other.append(["x"])
    other.append([7])
    book.save(folder / "parts.xlsx")
    return folder / "parts.xlsx"


def write_json_lines(folder: Path) -> Path:
    records = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)]
    del records[1]["load"]  # as good as null
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    (folder / "parts.jsonl").write_text("\n".join(lines) + "\n\n", encoding="utf-8-sig")
    return folder / "parts.jsonl"


def write_stream(folder: Path) -> Path:
    table = pa.table(COLUMNS)
    with pa.ipc.new_stream(folder / "parts.arrow", table.schema) as out:
        out.write_table(table, max_chunksize=2)
    return folder / "parts.arrow"


def write_folder(folder: Path) -> Path:
    table = pa.table(COLUMNS)
    whole = folder / "whole"
    whole.mkdir()
    (whole / "_SUCCESS").touch()
    for number, start in enumerate((0, 2, 4)):  # part.2 comes before part.10
        name = f"part.{(1, 2, 10)[number]}.parquet"
        pq.write_table(table.slice(start, 2), whole / name)
    return whole


def written(path: Path, write: Callable[[Path], object]) -> Path:
    write(path)
    return path


KINDS: dict[str, Callable[[Path], object]] = {
    "csv": lambda f: write_csv(f / "parts.csv"),
    "semicolons": lambda f: write_csv(f / "parts.csv", ";"),
    "tsv": lambda f: write_csv(f / "parts.tsv", "\t"),
    "gzip": lambda f: written(
        f / "parts.csv.gz",
        lambda p: p.write_bytes(gzip.compress(write_csv(f / "x.csv").read_bytes())),
    ),
    "parquet": lambda f: written(f / "p.parquet", lambda p: pq.write_table(pa.table(COLUMNS), p)),
    "feather": lambda f: written(
        f / "p.feather", lambda p: feather.write_feather(pa.table(COLUMNS), str(p))
    ),
    "stream": write_stream,
    "excel": write_excel,
    "sqlite": lambda f: f"sqlite:///{write_sqlite(f)}?parts",
    "query": lambda f: (
        f"sqlite:///{write_sqlite(f)}?" + quote("SELECT * FROM parts ORDER BY count")
    ),
    "json lines": write_json_lines,
    "frame": lambda f: pd.DataFrame(COLUMNS),
    "arrow": lambda f: pa.table(COLUMNS),
    "folder": write_folder,
}


@pytest.mark.parametrize("spool_above_mb", [256, 0])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_source_holds_the_same_cells(
    kind: str, spool_above_mb: float, tmp_path: Path
) -> None:
    table = open_table(KINDS[kind](tmp_path), spool_above_mb=spool_above_mb)
    assert table.columns == list(COLUMNS)
    assert table.rows == 5
    assert [table.kind(c) for c in table.columns] == ["text", "number", "number"]
    for column, cells in COLUMNS.items():
        found = [None if c != c else c for c in table.cells(column)]
        assert found == cells
        assert table.cells(column, np.array(ROWS))[1:] == [cells[4], cells[2]]


def test_media_paths_start_in_the_folder_of_the_table(tmp_path: Path) -> None:
    assert open_table(write_csv(tmp_path / "parts.csv")).folder == tmp_path
    assert open_table(f"sqlite:///{write_sqlite(tmp_path)}?parts").folder == tmp_path
    assert open_table(write_folder(tmp_path)).folder == tmp_path / "whole"
    assert open_table(pd.DataFrame(COLUMNS), folder=tmp_path).folder == tmp_path


# --- CSV ---------------------------------------------------------------------------------------


def csv(folder: Path, text: str | bytes, **options: object) -> Table:
    path = folder / "t.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return open_table(path, **options)


@pytest.mark.parametrize("spool_above_mb", [256, 0])
@pytest.mark.parametrize(
    ("late", "kind"),
    [("2.5", "number"), ("lost", "text"), ("2024-01-05", "text"), ("7", "number")],
)
def test_a_late_cell_has_a_say_in_its_columns_type(
    late: str, kind: str, spool_above_mb: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modalloy.table.delimited.BLOCK_BYTES", 256)
    text = "x,y\n" + "1,\n" * 500 + f"{late},{late}\n"
    table = csv(tmp_path, text, spool_above_mb=spool_above_mb)
    assert table.kind("x") == kind
    told = table.cells("x")
    assert str(told[500]) in (late, f"{late}.0")
    assert told[0] == ("1" if kind == "text" else 1)
    assert table.cells("y")[0] is None
    assert str(table.cells("y")[500]) in (late, f"{late} 00:00:00")


def test_late_letters_that_are_no_utf8_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modalloy.table.delimited.BLOCK_BYTES", 256)
    text = b"x,y\n" + b"1,a\n" * 500 + "2,gr\xfcn\n".encode("latin1")
    for spool_above_mb in (256, 0):
        with pytest.raises(TableError, match=r"(row 500|column 'y') holds letters that are not"):
            csv(tmp_path, text, spool_above_mb=spool_above_mb)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cells=st.lists(st.sampled_from(["", "1", "2.5", "x", "2024-01-05", "true"]), min_size=1))
def test_streamed_and_whole_csv_have_the_same_types(
    cells: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    text = "x,row\n" + "".join(f"{c},{i}\n" for i, c in enumerate(cells))
    whole = csv(folder, text)
    streamed = csv(folder, text, spool_above_mb=0)
    assert streamed.type("x") == whole.type("x")
    assert streamed.cells("x") == whole.cells("x")


def test_codes_with_leading_zeros_stay_text(tmp_path: Path) -> None:
    table = csv(tmp_path, "code,x\n0071,0\n1234,10\n")
    assert table.cells("code") == ["0071", "1234"]
    assert table.cells("x") == [0, 10]


def test_decimal_commas_are_numbers_beside_semicolons(tmp_path: Path) -> None:
    table = csv(tmp_path, "x;y\n1,5;a,b\n-0,25;c\n")
    assert table.cells("x") == [1.5, -0.25]
    assert table.cells("y") == ["a,b", "c"]


def test_nameless_columns_get_a_name(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1, 2]})
    frame.to_csv(tmp_path / "f.csv")
    assert open_table(tmp_path / "f.csv").columns == ["column_1", "x"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no columns"),
        ("a,b\n", "no rows"),
        ("a,b,a\n1,2,3\n", "'a'"),
        ("a,b\n1,2\n3\n4,5\n", r"row 1 .*has 1 cells where the header has 2 columns: '3'"),
        ("a,b\n1,2\n3,4,5\n", r"row 1 .*has 3 cells"),
        ("a,b\n1,gr\xfcn\n".encode("latin1"), "row 0 holds letters that are not UTF-8"),
        ("Gr\xf6\xdfe,b\n1,2\n".encode("latin1"), "the header holds letters that are not UTF-8"),
    ],
)
@pytest.mark.parametrize("spool_above_mb", [256, 0])
def test_bad_csv_gets_a_sentence(
    text: str | bytes, message: str, spool_above_mb: float, tmp_path: Path
) -> None:
    with pytest.raises(TableError, match=message):
        csv(tmp_path, text, spool_above_mb=spool_above_mb)


# --- Parquet and Arrow ---------------------------------------------------------------------------


def test_files_of_a_folder_are_brought_to_common_types(tmp_path: Path) -> None:
    (tmp_path / "year=2023").mkdir()
    (tmp_path / "year=2024").mkdir()
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "year=2023" / "a.parquet")
    both = pa.table({"x": [2.5], "y": ["late"]})
    pq.write_table(both, tmp_path / "year=2024" / "a.parquet")
    table = open_table(tmp_path)
    assert table.cells("x") == [1.0, 2.0, 2.5]
    assert table.cells("y") == [None, None, "late"]
    assert table.written("year") == ["2023", "2023", "2024"]


def test_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": [[1.0]]}), tmp_path / "b.parquet")
    with pytest.raises(TableError, match=r"b\.parquet: its columns do not fit"):
        open_table(tmp_path)


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.98])
def test_a_cut_parquet_file_gets_a_sentence(keep: float, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"x": np.arange(5000.0)}), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else int(keep)])
    with pytest.raises(TableError, match=r"p\.parquet: not a whole Parquet file"):
        open_table(path)


def test_damaged_parquet_pages_get_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"x": [f"text {i}" for i in range(5000)]}), path, compression="zstd")
    data = bytearray(path.read_bytes())
    data[100:2000] = bytes(1900)
    path.write_bytes(data)
    with pytest.raises(TableError, match=r"p\.parquet: the Parquet file is damaged"):
        open_table(path)


@pytest.mark.parametrize("spool_above_mb", [256, 0])
def test_unusual_types_become_plain_ones(spool_above_mb: float, tmp_path: Path) -> None:
    source = pa.table(
        {
            "half": pa.array([[0.5, 1.5], None], pa.list_(pa.float16())),
            "fixed": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2)),
            "name": pa.array(["a", "b"]).dictionary_encode(),
            "money": pa.array(["1.00", None]).cast(pa.decimal128(12, 2)),
            "clock": pa.array([3600, 60], pa.time32("s")),
            "took": pa.array([1500, None], pa.duration("ms")),
            "nothing": pa.nulls(2),
        }
    )
    pq.write_table(source, tmp_path / "t.parquet")
    table = open_table(tmp_path / "t.parquet", spool_above_mb=spool_above_mb)
    half = table.cells("half")
    assert half[0].tolist() == [0.5, 1.5]
    assert half[1] is None
    assert table.cells("fixed")[1].tolist() == [3.0, 4.0]
    assert table.cells("name") == ["a", "b"]
    assert table.cells("money") == [1.0, None]
    assert table.cells("clock") == [3600.0, 60.0]
    assert table.cells("took") == [1.5, None]
    assert table.cells("nothing") == [None, None]


# --- Excel, SQLite, frames, pictures -------------------------------------------------------------


def test_a_sheet_is_chosen_by_name(tmp_path: Path) -> None:
    path = write_excel(tmp_path)
    assert open_table(path, sheet="Other").cells("x") == [7]
    with pytest.raises(TableError, match=r"no sheet 'Othr'; it has Parts, Other\..*'Other'"):
        open_table(path, sheet="Othr")
    with pytest.raises(TableError, match="only Excel files have sheets"):
        open_table(write_csv(tmp_path / "t.csv"), sheet="Parts")
    (tmp_path / "broken.xlsx").write_bytes(path.read_bytes()[:500])
    with pytest.raises(TableError, match="not a whole Excel file"):
        open_table(tmp_path / "broken.xlsx")


def test_excel_faults_are_missing_and_blank_edges_are_left_out(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["x", None], [None, None], [1, None], ["#N/A", None], [2.5, None], [None, None]):
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    table = open_table(tmp_path / "t.xlsx")
    assert table.columns == ["x"]
    assert table.cells("x") == [None, 1.0, None, 2.5]  # rows keep the numbers of the sheet


MARKED = [1.5, "n.d.", 2.0, "N/A", "-", None]  # as a plant's table holds them


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet", "feather", "xlsx", "db", "frame"])
def test_marks_for_no_value_are_missing_numbers_in_every_kind_of_table(
    kind: str, tmp_path: Path
) -> None:
    frame = pd.DataFrame({"x": MARKED, "n": range(len(MARKED))})
    texts = frame.assign(x=frame["x"].map(str, na_action="ignore"))
    path = tmp_path / f"t.{kind}"
    match kind:
        case "csv" | "tsv":
            frame.to_csv(path, index=False, sep="," if kind == "csv" else "\t")
        case "parquet":
            texts.to_parquet(path)
        case "feather":
            texts.to_feather(path)
        case "xlsx":
            frame.to_excel(path, index=False)
        case "db":
            with closing(sqlite3.connect(path)) as base:
                frame.to_sql("parts", base, index=False)
    source = frame if kind == "frame" else f"sqlite:///{path}" if kind == "db" else path
    table = open_table(source)
    wanted = [1.5, np.nan, 2.0, np.nan, np.nan, np.nan]
    assert np.array_equal(table.numbers("x"), wanted, equal_nan=True)
    read = NumberReader("x", 0.0, 1.0, (0.0, 1.0)).read(table.take(["x"], np.arange(6)))
    assert read.status == ["ok", "missing", "ok", "missing", "missing", "missing"]


def test_sqlite_types_come_from_all_cells(tmp_path: Path) -> None:
    path = tmp_path / "b.db"
    with closing(sqlite3.connect(path)) as base:
        base.execute("CREATE TABLE t (a, b, c)")
        base.executemany(
            "INSERT INTO t VALUES (?, ?, ?)", [(1, 1, None)] * 9000 + [(2.5, "x", None)]
        )
        base.commit()
    table = open_table(f"sqlite:///{path}", spool_above_mb=0)
    assert table.cells("a", np.array([0, 9000])) == [1.0, 2.5]
    assert table.cells("b", np.array([0, 9000])) == ["1", "x"]
    assert table.cells("c", np.array([0])) == [None]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?SELECT colour FROM parts", "SQLite refuses the query: no such column"),
        ("?DROP TABLE parts", "SQLite refuses the query"),
        ("?partz", "no table 'partz'; it has parts, lots"),
        ("", "say which table; it has parts, lots"),
        ("?SELECT part, part FROM parts", "appear more than once: 'part'"),
        ("?SELECT * FROM parts WHERE count > 99", "the table is empty"),
    ],
)
def test_bad_queries_get_a_sentence(query: str, message: str, tmp_path: Path) -> None:
    path = write_sqlite(tmp_path)
    with closing(sqlite3.connect(path)) as base:
        base.execute("CREATE TABLE lots (x)")
    with pytest.raises(TableError, match=message):
        open_table(f"sqlite:///{path}{query}")
    with closing(sqlite3.connect(path)) as base:
        assert base.execute("SELECT count(*) FROM parts").fetchone() == (5,)


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"hello" * 100)
    with pytest.raises(TableError, match="not a SQLite database"):
        open_table(f"sqlite:///{tmp_path / 'x.db'}?t")
    with pytest.raises(TableError, match="no such file"):
        open_table("sqlite:///absent.db?t")


def test_mixed_columns_of_a_frame_keep_their_cells(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "mixed": [1, "n/a", None],
            "picture": [np.ones((2, 2)), None, np.zeros((2, 2))],
            "kind": pd.Categorical(["x", None, "y"]),
            5: [True, False, True],
        }
    )
    table = open_table(frame)
    assert table.written("mixed") == [1, "n/a", None]
    assert table.cells("picture")[0] == [[1.0, 1.0], [1.0, 1.0]]
    assert table.cells("kind") == ["x", None, "y"]
    assert table.kind("5") == "bool"


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4)).save(path)


def test_a_folder_of_pictures_is_a_table(tmp_path: Path) -> None:
    for name in ("train/ok/a.png", "train/bad/b.JPG", "val/ok/c.png", "test/bad/d.png"):
        picture(tmp_path / name)
    table = open_table(tmp_path)
    rows = dict(
        zip(
            table.cells("image"),
            zip(table.cells("split"), table.cells("label"), strict=True),
            strict=True,
        )
    )
    assert rows["train/bad/b.JPG"] == ("train", "bad")
    assert rows["val/ok/c.png"] == ("validation", "ok")
    flat = open_table(tmp_path / "train")
    assert flat.columns == ["image", "label"]
    assert sorted(flat.cells("label")) == ["bad", "ok"]
    assert open_table(tmp_path / "val" / "ok").columns == ["image"]


def test_other_sources_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.xls").touch()
    (tmp_path / "empty").mkdir()
    for source, message in [
        (tmp_path / "absent.csv", "no such file"),
        (tmp_path / "t.xls", r"'\.xls' is not one that is read.*\.parquet"),
        (tmp_path / "empty", "neither Parquet files nor pictures"),
        ([1, 2], "not list"),
        (pa.table({}), "no columns"),
        (pd.DataFrame({"x": []}), "no rows"),
    ]:
        with pytest.raises(TableError, match=message):
            open_table(source)


def test_records_of_json_lines_keep_their_types(tmp_path: Path) -> None:
    path = tmp_path / "log.ndjson"
    path.write_text(
        '{"spectrum": [1, 2.5], "words": ["pump", "leaks"], "ok": true}\r\n'
        "\n"
        '{"words": ["a\u2028b"], "when": "2024-05-01", "load": 7}\n'
    )
    table = open_table(path)
    assert table.columns == ["spectrum", "words", "ok", "when", "load"]
    assert table.rows == 3  # a blank line keeps its place
    assert table.cells("spectrum")[0].tolist() == [1.0, 2.5]
    assert table.cells("words") == [["pump", "leaks"], None, ["a\u2028b"]]
    assert table.cells("ok") == [True, None, None]
    assert [table.kind(c) for c in ("when", "load")] == ["time", "number"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"x": 1}\n{"x": \n', r"line 2 is no JSON object \(Expecting value\); each line holds"),
        (b'{"x": 1}\n\n7\n', r"line 3 is no JSON object \(it begins with '7'\)"),
        (b'[\n {"x": 1}\n]', r"line 1 is no JSON object"),
        (b'{"x": 1}\n{"x": "\xff"}\n', "line 2 is not UTF-8"),
        (b'{"x": 1}\n{"x": 1, "x": 2}\n', "line 2 has the name 'x' more than once"),
        (b"\n", "no columns"),
    ],
)
def test_what_are_no_json_lines_gets_a_sentence(text: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(text)
    with pytest.raises(TableError, match=rf"t\.jsonl: (the table has )?{said}"):
        open_table(tmp_path / "t.jsonl")


def test_odd_cells_of_a_frame_change_no_other_cell() -> None:
    day, clock = datetime(2024, 5, 1), datetime(2024, 5, 1, 6, 30)
    ids = [12345678901234567890, 12345678901234567891]
    for cells, wanted in [
        ([day.date(), clock], [day, clock]),
        ([np.datetime64("2024-05-01"), np.datetime64("2024-05-01T06:30")], [day, clock]),
        ([np.float32(1.1), "odd"], [1.1, "odd"]),
        ([time(6, 0), "odd"], ["06:00", "odd"]),
        ([time(6, 0), time(6, 0, 30)], ["06:00", "06:00:30"]),
        ([timedelta(hours=6), "odd"], [21600.0, "odd"]),
        (["a", Decimal("NaN"), 3], ["a", None, 3.0]),
        ([Decimal(i) for i in ids], [str(i) for i in ids]),
    ]:
        table = open_table(pd.DataFrame({"x": pd.Series(cells, dtype=object)}))
        assert table.written("x") == wanted
    clocks = open_table(pd.DataFrame({"x": pd.Series([time(6, 0), time(7, 30)], dtype=object)}))
    assert clocks.numbers("x").tolist() == [21600, 27000]


def test_native_numbers_have_no_say_about_the_decimal_sign(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["a", "b"], ["6,5", 1.125], ["7,25", 2.625], ["8,5", "n/a"], ["9,5", 3.625]):
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    table = open_table(tmp_path / "t.xlsx")
    assert table.decimal == ","
    assert table.numbers("a").tolist() == [6.5, 7.25, 8.5, 9.5]
    assert np.array_equal(table.numbers("b"), [1.125, 2.625, np.nan, 3.625], equal_nan=True)
    assert table.notes == ()


def test_periods_of_a_frame_are_times() -> None:
    months = pd.period_range("2024-01", periods=3, freq="M")
    table = open_table(pd.DataFrame({"month": months, "x": [1, 2, 3]}))
    assert table.kind("month") == "time"
    assert [str(c)[:10] for c in table.cells("month")] == ["2024-01-01", "2024-02-01", "2024-03-01"]


def test_blobs_of_a_database_that_hold_text_are_names(tmp_path: Path) -> None:
    path = tmp_path / "plant.db"
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("create table parts (site, x)")
        base.executemany("insert into parts values (?, ?)", [(b"north", 1), ("south", 2)])
    table = open_table(f"sqlite:///{path}?parts")
    assert table.codes("site")[1] == ["north", "south"]
