"""The same cells read alike, wherever they come from and whatever stands beside them."""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modalloy.job import config
from modalloy.readers.category import CategoryReader
from modalloy.readers.number import NumberReader
from modalloy.readers.reader import Reader
from modalloy.readers.targets.classify import ClassTarget
from modalloy.readers.targets.regress import NumberTarget
from modalloy.readers.targets.target import TargetReader
from modalloy.readers.text import TextReader
from modalloy.readers.time import TimeReader
from modalloy.table.open_table import open_table
from modalloy.table.table import Table

N = 24
START = datetime(2024, 5, 1, 6, 30)
ROWS: list[dict[str, Any]] = [
    {
        "open": i % 3 == 0,
        "recipe": float(i % 4 + 1),
        "version": ("1.1", "1.10", "2.0")[i % 3],
        "place": ("north", "7", None, "0071")[i % 4],
        "load": None if i % 7 == 0 else i / 8,
        "count": i * 1000,
        "when": START + timedelta(hours=7 * i),
        "note": f"pump {i} leaks",
        "fault": i % 2,
        "life": 10.0 + i,
    }
    for i in range(N)
]
ODD: list[dict[str, Any]] = [
    {"open": "sensor off", "recipe": "new", "load": "n.d.", "fault": "later", "when": "soon"},
    {"open": None, "recipe": 99.5, "version": "3", "count": "many", "life": "?"},
    {"place": True, "load": "12 kN", "note": None, "fault": 7, "when": "2024-05-03"},
]
NUMBERS = ("load", "count", "life")
Write = Callable[[list[dict[str, Any]], Path], Any]


def columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {c: [r.get(c) for r in rows] for c in ROWS[0]}


def as_text(rows: list[dict[str, Any]]) -> pd.DataFrame:
    cells = columns(rows).items()
    return pd.DataFrame({c: [None if x is None else str(x) for x in v] for c, v in cells})


def as_objects(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame({c: pd.Series(v, dtype=object) for c, v in columns(rows).items()})


def csv(rows: list[dict[str, Any]], folder: Path, **options: Any) -> Path:
    as_text(rows).to_csv(folder / "t.csv", index=False, **options)
    return folder / "t.csv"


def german(rows: list[dict[str, Any]], folder: Path) -> Path:
    """Numbers with a decimal comma and thousands points; everything else as it is."""
    frame = as_text(rows)
    for name in ("recipe", "load", "life"):
        frame[name] = [
            x if not isinstance(r.get(name), float) else x.replace(".", ",")
            for x, r in zip(frame[name], rows, strict=True)
        ]
    whole = [r.get("count") for r in rows]
    frame["count"] = [f"{x:,}".replace(",", ".") if isinstance(x, int) else x for x in whole]
    frame.to_csv(folder / "t.csv", index=False, sep=";")
    return folder / "t.csv"


def sqlite(frame: pd.DataFrame, folder: Path) -> str:
    path = folder / "t.db"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as base:
        names = ", ".join(f'"{c}"' for c in frame)
        base.execute(f"CREATE TABLE t ({names})")
        cells = frame.astype(object).where(frame.notna(), None)
        cells = cells.map(lambda x: str(x) if isinstance(x, datetime) else x)
        marks = ", ".join("?" * frame.shape[1])
        base.executemany(f"INSERT INTO t VALUES ({marks})", cells.itertuples(index=False))
        base.commit()
    return f"sqlite:///{path}?t"


def saved(frame: pd.DataFrame, path: Path) -> Path:
    match path.suffix:
        case ".xlsx":
            frame.to_excel(path, index=False)
        case ".feather":
            frame.to_feather(path)
        case _:
            frame.to_parquet(path)
    return path


KINDS: dict[str, Write] = {
    "csv": csv,
    "semicolons": lambda rows, f: csv(rows, f, sep=";"),
    "tabs": lambda rows, f: csv(rows, f, sep="\t"),
    "quoted": lambda rows, f: csv(rows, f, quoting=1),
    "german": german,
    "excel": lambda rows, f: saved(as_objects(rows), f / "t.xlsx"),
    "excel text": lambda rows, f: saved(as_text(rows), f / "t.xlsx"),
    "sqlite": lambda rows, f: sqlite(as_objects(rows), f),
    "sqlite text": lambda rows, f: sqlite(as_text(rows), f),
    "parquet text": lambda rows, f: saved(as_text(rows), f / "t.parquet"),
    "feather text": lambda rows, f: saved(as_text(rows), f / "t.feather"),
    "frame": lambda rows, f: as_objects(rows),
    "frame text": lambda rows, f: as_text(rows),
}
# A table that holds one type a column, so that no odd cell can stand in it.
STRICT: dict[str, Write] = {
    "parquet": lambda rows, f: saved(as_objects(rows).infer_objects(), f / "t.parquet"),
    "typed frame": lambda rows, f: as_objects(rows).infer_objects(),
}


def readers(table: Table) -> dict[str, Reader | TargetReader]:
    def cells(*names: str) -> Any:
        return table.take(names, np.arange(N))

    return {
        "open": CategoryReader.fit("open", config.Category(), cells("open")),
        "recipe": CategoryReader.fit("recipe", config.Category(), cells("recipe")),
        "version": CategoryReader.fit("version", config.Category(), cells("version")),
        "place": CategoryReader.fit("place", config.Category(), cells("place")),
        "load": NumberReader.fit("load", config.Number(), cells("load")),
        "count": NumberReader.fit("count", config.Number(), cells("count")),
        "when": TimeReader.fit("when", config.Time(), cells("when")),
        "note": TextReader.fit("note", config.Text(vocabulary=64), cells("note")),
        "fault": ClassTarget.fit("fault", config.Classify(target="fault"), cells("fault")),
        "life": NumberTarget.fit("life", config.Regress(target="life"), cells("life")),
    }


def read(
    fitted: Mapping[str, Reader | TargetReader], table: Table, rows: np.ndarray
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, reader in fitted.items():
        cells = table.take(reader.columns, rows)
        if isinstance(reader, NumberTarget):  # refuses a whole table for a word among numbers
            continue
        if isinstance(reader, TargetReader):
            found |= {f"{name}.{k}": v for k, v in reader.read(cells).items()}
            found[f"{name}.truth"] = reader.truth(cells)
        else:
            got = reader.read(cells)
            found |= {f"{name}.{k}": v for k, v in got.values.items()}
            found |= {f"{name}.present": got.present, f"{name}.status": got.status}
    return found


def same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert found.keys() == wanted.keys()
    for name, cells in wanted.items():
        assert np.array_equal(np.asarray(found[name]), np.asarray(cells)), name


@pytest.mark.parametrize("trained", [*KINDS, *STRICT])
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kind=st.sampled_from([*KINDS, *STRICT]),
    order=st.lists(st.integers(0, N - 1), min_size=1, max_size=6, unique=True),
    odd=st.lists(st.sampled_from(range(len(ODD))), max_size=3),
    ahead=st.booleans(),
    where=st.lists(st.integers(0, 5), min_size=1, max_size=4),
)
def test_the_same_cells_read_alike(
    trained: str,
    kind: str,
    order: list[int],
    odd: list[int],
    ahead: bool,
    where: list[int],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    write = KINDS | STRICT
    first = open_table(write[trained](ROWS, tmp_path_factory.mktemp("first")))
    first = first.read_as(None, NUMBERS)
    fitted = readers(first)
    some = [ROWS[i] for i in order]
    beside = [] if kind in STRICT else [ODD[i] for i in odd]
    rows = [*beside, *some] if ahead else [*some, *beside]
    source = write[kind](rows, tmp_path_factory.mktemp("other"))
    other = open_table(source).read_as(first.decimal, NUMBERS)
    place = len(beside) if ahead else 0
    picked = np.unique([w % len(some) for w in where])
    found = read(fitted, other, place + picked)
    same(found, read(fitted, first, np.array(order)[picked]))


def test_names_keep_what_was_written_and_numbers_are_one() -> None:
    written = open_table(pd.DataFrame({"x": ["1.10", "1.1", "3.0", "4"]}))
    typed = open_table(pd.DataFrame({"x": [1.1, 3.0, 4.0, 4.0]}))
    options = config.Category(min_count=1)
    texts, numbers = (
        CategoryReader.fit("x", options, t.take(["x"], np.arange(4))) for t in (written, typed)
    )
    assert texts.names == ("1.1", "1.10", "3.0", "4")
    assert numbers.names == ("1.1", "3", "4")
    cells = open_table(pd.DataFrame({"x": ["1.10", "1.100", "3", "3.00", "4.0", "04"]}))
    read_texts, read_numbers = (r.read(cells.take(["x"], np.arange(6))) for r in (texts, numbers))
    assert read_texts.values["x"].tolist() == [2, 0, 3, 3, 4, 0]
    assert read_numbers.values["x"].tolist() == [1, 1, 2, 2, 3, 0]


def test_marks_for_no_value_among_numbers_are_no_names() -> None:
    labels = open_table(pd.DataFrame({"x": ["0", "1", "NA", "1", "n.d."]}))
    target = ClassTarget.fit("x", config.Classify(target="x"), labels.take(["x"], np.arange(5)))
    assert target.names == ("0", "1")
    assert target.truth(labels.take(["x"], np.arange(5))) == ["0", "1", None, "1", None]
    words = open_table(pd.DataFrame({"x": ["ok", "NA", "crack"]}))
    named = ClassTarget.fit("x", config.Classify(target="x"), words.take(["x"], np.arange(3)))
    assert named.names == ("NA", "crack", "ok")
    old = CategoryReader.from_state({"name": "x", "names": ["1", "2"]})  # kept no reading
    read = old.read(open_table(pd.DataFrame({"x": ["1", "NA", "2.0"]})).take(["x"], np.arange(3)))
    assert read.values["x"].tolist() == [1, 0, 2]
    assert read.status == ["ok", "missing", "ok"]


def test_names_with_a_comma_go_by_value_with_numbers_of_a_frame() -> None:
    fitted = CategoryReader("x", ("1,125", "1125", "2,5"), "written", ",")
    cells = open_table(pd.DataFrame({"x": [1.125, 1125.0, 2.5, 2.0]})).take(["x"], np.arange(4))
    assert fitted.read(cells).values["x"].tolist() == [1, 2, 3, 0]


def test_numbers_among_texts_are_written_as_in_a_csv_file(tmp_path: Path) -> None:
    mixed = pd.DataFrame({"x": pd.Series([4711, "pump leaks", 2.5], dtype=object)})
    mixed.to_csv(tmp_path / "t.csv", index=False)
    plain = open_table(tmp_path / "t.csv").take(["x"], np.arange(3))
    fitted = TextReader.fit("x", config.Text(vocabulary=64), plain)
    other = fitted.read(open_table(mixed).take(["x"], np.arange(3)))
    assert np.array_equal(other.values["ids"], fitted.read(plain).values["ids"])
