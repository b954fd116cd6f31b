"""Rows of the same recordings have the same windows, wherever they come from and beside any row."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modalloy.answer.loader import Loader
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.readers.build import fit_readers
from modalloy.readers.reader import Reader
from modalloy.readers.series import SeriesReader
from modalloy.table.open_table import open_table
from modalloy.table.table import Table

N = 18
START = datetime(2024, 5, 1, 6, 30)
ROWS: list[dict[str, Any]] = [
    {
        "id": i,
        "machine": (1, "NA", 1, "NA", None)[i % 5],
        "run": ("a", "b")[i % 7 // 4],
        "step": (7 * i) % N + 0.5,
        "when": START + timedelta(hours=(7 * i) % N),
        "x": None if i % 6 == 5 else i / 8,
        "y": 100 + i,
    }
    for i in range(N)
]
ODD: list[dict[str, Any]] = [
    {"id": -1, "machine": "b", "run": 3, "step": "soon", "when": "later", "x": "broken", "y": 1},
    {"id": -2, "machine": 2.5, "run": None, "step": None, "when": None, "x": None, "y": "n.d."},
    {"id": -3, "machine": "other", "run": "NA", "step": 3, "when": START, "x": True, "y": "x"},
]
Write = Callable[[list[dict[str, Any]], Path], Any]


def as_objects(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame({c: pd.Series([r[c] for r in rows], dtype=object) for c in ROWS[0]})


def as_text(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = as_objects(rows)
    return frame.map(lambda x: None if x is None else str(x))


def german(rows: list[dict[str, Any]], folder: Path) -> Path:
    as_objects(rows).map(
        lambda x: str(x).replace(".", ",") if isinstance(x, float) else x
    ).to_csv(folder / "t.csv", index=False, sep=";")  # fmt: skip
    return folder / "t.csv"


def csv(rows: list[dict[str, Any]], folder: Path) -> Path:
    as_text(rows).to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def excel(rows: list[dict[str, Any]], folder: Path) -> Path:
    as_objects(rows).to_excel(folder / "t.xlsx", index=False)
    return folder / "t.xlsx"


def parquet(rows: list[dict[str, Any]], folder: Path) -> Path:
    as_text(rows).to_parquet(folder / "t.parquet")
    return folder / "t.parquet"


def sqlite(rows: list[dict[str, Any]], folder: Path) -> str:
    with closing(sqlite3.connect(folder / "t.db")) as base:
        base.execute("CREATE TABLE t ({})".format(", ".join(f'"{c}"' for c in ROWS[0])))
        cells = as_objects(rows).map(lambda x: str(x) if isinstance(x, datetime) else x)
        base.executemany(
            f"INSERT INTO t VALUES ({', '.join('?' * len(ROWS[0]))})",
            cells.itertuples(index=False),
        )
        base.commit()
    return f"sqlite:///{folder}/t.db?t"


def typed(rows: list[dict[str, Any]], folder: Path) -> Path:
    """One type a column, but for the names, which are text."""
    frame = as_objects(rows).infer_objects()
    frame[["machine", "run"]] = as_text(rows)[["machine", "run"]]
    frame.to_parquet(folder / "t.parquet")
    return folder / "t.parquet"


KINDS: dict[str, Write] = {
    "csv": csv,
    "german": german,
    "excel": excel,
    "sqlite": sqlite,
    "parquet": parquet,
    "frame": lambda rows, folder: as_objects(rows),
}
STRICT: dict[str, Write] = {"typed": typed}


def job(order: str = "step", by: tuple[str, ...] = ("machine", "run")) -> config.Job:
    history = {"by": by, "order": order, "rows": 3}
    columns = {"s": {"type": "series", "from": ["x", "y"], "history": history}}
    task = {"type": "classify", "target": "run"}
    split = {"random": "stratified"}
    return config.Job.model_validate(
        {"table": "t.csv", "split": split, "columns": columns, "tasks": {"t": task}}
    )


def fitted(table: Table, of: config.Job) -> dict[str, Reader]:
    empty = Loader(table, of, {}, {})
    return fit_readers(of, lambda columns: empty.cells(columns, np.arange(table.rows)))


def read(table: Table, of: config.Job, readers: dict[str, Reader], rows: Any) -> Any:
    reader = readers["s"]
    return reader.read(Loader(table, of, readers, {}).cells(reader.columns, np.asarray(rows)))


@pytest.mark.parametrize("order", ["step", "when"])
@pytest.mark.parametrize("trained", [*KINDS, *STRICT])
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kind=st.sampled_from([*KINDS, *STRICT]),
    mixed=st.permutations(range(N)),
    odd=st.lists(st.integers(0, len(ODD) - 1), max_size=3),
    ahead=st.booleans(),
)
def test_the_same_rows_have_the_same_windows(
    trained: str,
    order: str,
    kind: str,
    mixed: list[int],
    odd: list[int],
    ahead: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    of, write = job(order), KINDS | STRICT
    first = open_table(write[trained](ROWS, tmp_path_factory.mktemp("first")))
    readers = fitted(first, of)
    wanted = read(first, of, readers, range(N))
    beside = [] if kind in STRICT else [ODD[i] for i in odd]
    some = [ROWS[i] for i in mixed]
    rows = [*beside, *some] if ahead else [*some, *beside]
    other = open_table(write[kind](rows, tmp_path_factory.mktemp("other")))
    other = other.read_as(first.decimal if kind == trained else ".", ("x", "y", "step"))
    place = len(beside) if ahead else 0
    found = read(other, of, readers, place + np.argsort(mixed))
    assert np.array_equal(found.values["x"], wanted.values["x"])
    assert np.array_equal(found.values["mask"], wanted.values["mask"])
    assert found.status == wanted.status


def table_of(**columns: list[Any]) -> Table:
    return open_table(pa.table(columns))


def windows(table: Table, by: str = "u", **options: Any) -> list[list[float]]:
    history = config.History(by=(by,), order="at", rows=4)
    found = table.window(["x"], history, np.arange(table.rows), **options)
    return [w.x_CL[0].tolist() for w in found]


def test_a_name_joins_rows_whatever_the_last_row_holds() -> None:
    for last in ("1", "b"):
        table = table_of(u=["NA", "NA", last], at=["1", "2", "3"], x=["5", "6", "7"])
        assert windows(table) == [[5], [5, 6], [7]]
    alone = table_of(u=["", None, " "], at=["1", "2", "3"], x=["5", "6", "7"])
    assert windows(alone) == [[5], [6], [7]]
    margins = table_of(u=["a", " a", "A"], at=["1", "2", "3"], x=["5", "6", "7"])
    assert windows(margins) == [[5], [5, 6], [7]]


@pytest.mark.parametrize("told", ["13/01/2024", "01/13/2024"])
def test_the_form_of_dates_is_that_of_training(told: str) -> None:
    pair = {"u": ["a", "a"], "at": ["02/01/2024", "01/02/2024"], "x": [5.0, 6.0], "y": [1.0, 1.0]}
    day_first = told.startswith("13")
    # The 2nd of January and the 1st of February, or the 1st of February and the 2nd of January.
    expected = [[5.0], [5.0, 6.0]] if day_first else [[6.0, 5.0], [6.0]]
    trained = table_of(**{k: [*v, told if k == "at" else v[0]] for k, v in pair.items()})
    of = job("at", by=("u",))
    reader = fitted(trained, of)["s"]
    assert isinstance(reader, SeriesReader)
    assert reader.order_form == ("day_first" if day_first else "month_first")
    reader = SeriesReader.from_state(json.loads(json.dumps(reader.state())))
    for other in (None, "13/01/2024", "01/13/2024"):
        more = {"u": ["b"], "at": [other], "x": [9.0], "y": [1.0]}
        table = table_of(**{k: [*v, *(more[k] if other else [])] for k, v in pair.items()})
        cells = Loader(table, of, {"s": reader}, {}).cells(reader.columns, np.arange(2))
        assert [w.x_CL[0].tolist() for w in cells["s"]] == expected
    with pytest.raises(TableError, match=r"row 0: '02/01/2024' is no date, so this row has no pla"):
        fitted(table_of(**pair), of)


def test_a_row_that_cannot_be_read_is_said_and_ends_nothing() -> None:
    whole = {"u": ["a"] * 4, "at": ["1", "2", "3", "4"], "x": ["1", "2", "3", "4"], "y": ["1"] * 4}
    of = job("at", by=("u",))
    readers = fitted(table_of(**whole), of)
    bad = {**whole, "at": ["1", "2", "soon", None], "x": ["1", "broken", "3", "n.d."]}
    bad |= {"y": ["1", "1", "1", "?"]}
    found = read(table_of(**bad), of, readers, range(4))
    assert found.status == [
        "ok",
        "noted: column 'x': 'broken' is no number",
        "noted: column 'at': 'soon' is no number, so no earlier row is seen",
        "unreadable: column 'at': empty, so no earlier row is seen",
    ]
    assert found.present.tolist() == [True, True, True, False]
    assert found.values["mask"].tolist() == [
        [True, False], [True, True], [True, False], [False, False],
    ]  # fmt: skip
    none_left = table_of(**{**whole, "x": ["broken"] * 4, "y": [None] * 4})
    said = "unreadable: column 'x': 'broken' is no number"
    assert read(none_left, of, readers, range(4)).status == [said] * 4


def test_training_refuses_what_it_cannot_read_and_names_the_row() -> None:
    whole = {"u": ["a"] * 3, "at": ["1", "2", "3"], "x": ["1", "2", "3"], "y": ["1"] * 3}
    for column, cells, said in (
        ("x", ["1", "broken", "3"], "column 'x', row 1: 'broken' is no number"),
        ("at", ["1", "2", "soon"], "column 'at', row 2: 'soon' is no number, so this row has no"),
        ("at", ["1", None, "3"], "column 'at', row 1: empty, so this row has no place"),
        ("u", [[1], [2], [3]], "column 'u' holds lists, which name nothing"),
    ):
        table = table_of(**{**whole, column: cells})
        with pytest.raises(TableError, match=said):
            fitted(table, job("at", by=("u",)))


def test_a_run_that_knows_no_form_takes_that_of_its_table() -> None:
    of = job("at", by=("u",))
    state = {
        "name": "s", "sources": ["s"], "history": True, "length": 8, "rate_hz": None, "rpm": None,
        "center": [0.0, 0.0], "scale": [1.0, 1.0], "channel_names": [], "alike": True,
    }  # fmt: skip
    old = SeriesReader.from_state(state)
    for told, masks in (("13/01/2024", [1, 2]), ("01/13/2024", [2, 1])):
        dates = ["02/01/2024", "01/02/2024", told]
        table = table_of(u=["a", "a", "b"], at=dates, x=[5.0, 6.0, 9.0], y=[1.0, 1.0, 1.0])
        found = read(table, of, {"s": old}, range(2))
        assert found.values["mask"].sum(1).tolist() == masks
