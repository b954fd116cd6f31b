"""Cells of any rows come back as they were written, however the rows are held."""

from copy import copy
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalloy.errors import TableError
from modalloy.job import config
from modalloy.table import arrow_store
from modalloy.table.open_table import open_table
from modalloy.table.table import Table


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    """1,000 rows in mapped batches of 64."""
    monkeypatch.setattr(arrow_store, "BATCH_ROWS", 64)
    monkeypatch.setattr(arrow_store, "RESIDENT_BYTES", 1 << 20)
    source = pa.table(
        {
            "x": np.arange(1000.0),
            "name": [f"n{i}" if i % 7 else None for i in range(1000)],
            "series": [np.full(i % 5, i, np.float32) if i % 3 else None for i in range(1000)],
        }
    )
    pq.write_table(source, tmp_path / "t.parquet", row_group_size=100)
    return open_table(tmp_path / "t.parquet", spool_above_mb=0)


def test_mapped_rows_are_taken_in_the_order_asked_for(many: Table) -> None:
    assert len(many._held.batches) > 10
    for seed in range(20):
        rows = np.random.default_rng(seed).integers(0, 1000, 150)
        assert many.cells("x", rows) == [float(r) for r in rows]
        assert many.cells("name", rows) == [f"n{r}" if r % 7 else None for r in rows]
        for r, cell in zip(rows, many.cells("series", rows), strict=True):
            assert (cell is None) == (r % 3 == 0)
            assert cell is None or cell.tolist() == [float(r)] * (r % 5)
    assert many.cells("x", np.array([], dtype=int)) == []
    assert many.numbers("x", np.array([], dtype=int)).shape == (0,)


def test_rows_beyond_the_table_are_refused(many: Table) -> None:
    for row in (-1, 1000):
        with pytest.raises(TableError, match=rf"no row {row}; rows are 0 to 999"):
            many.cells("x", np.array([3, row]))


def test_a_copy_for_another_process_maps_the_same_file(many: Table) -> None:
    sent = many._held.__getstate__()
    assert sent["folder"] == many._held.folder
    assert sent["batches"] is None
    arrived = copy(many._held)
    assert arrived.rows == 1000
    assert arrived.batches[3].equals(many._held.batches[3])
    assert copy(open_table(pd.DataFrame({"x": [1, 2]}))._held).rows == 2


def test_the_mapped_file_goes_with_the_table(tmp_path: Path) -> None:
    pd.DataFrame({"x": [1]}).to_csv(tmp_path / "t.csv", index=False)
    table = open_table(tmp_path / "t.csv", spool_above_mb=0)
    folder = table._held.folder
    assert (folder / "rows.arrow").is_file()
    del table
    assert not folder.exists()


def test_a_fault_while_spooling_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "spool"))
    (tmp_path / "spool").mkdir()
    (tmp_path / "t.csv").write_text("x\n" + "1\n" * 10)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(arrow_store, "_evened", full)
    with pytest.raises(TableError, match="is full"):
        open_table(tmp_path / "t.csv", spool_above_mb=0)
    assert list((tmp_path / "spool").iterdir()) == []


def test_blank_text_is_nothing_and_nan_stays() -> None:
    table = open_table(pa.table({"t": ["a", "", "  ", None], "x": [1.0, np.nan, None, np.inf]}))
    assert table.cells("t") == ["a", None, None, None]
    x = table.cells("x")
    assert x[0] == 1.0
    assert np.isnan(x[1])
    assert x[2] is None
    assert np.array_equal(table.numbers("x"), [1, np.nan, np.nan, np.inf], equal_nan=True)


def test_kinds_follow_the_arrow_types() -> None:
    table = open_table(
        pa.table(
            {
                "i": [1],
                "b": [True],
                "s": ["x"],
                "l": [[1.0]],
                "d": [date(2024, 1, 1)],
                "r": [{"a": 1}],
                "raw": [b"x"],
            }
        )
    )
    kinds = ["number", "bool", "text", "list", "time", "other", "other"]
    assert [table.kind(c) for c in table.columns] == kinds


def test_lists_with_gaps_and_lists_of_lists() -> None:
    table = open_table(
        pa.table({"gaps": [[1, None, 3]], "boxes": [[[1, 2, 3, 4]]], "words": [["a", "b"]]})
    )
    assert np.array_equal(table.cells("gaps")[0], [1, np.nan, 3], equal_nan=True)
    assert table.cells("boxes") == [[[1, 2, 3, 4]]]
    assert table.cells("words") == [["a", "b"]]


def test_numbers_name_the_row_of_a_text() -> None:
    table = open_table(pa.table({"x": ["1", " 2.5 ", None, "<0.5", "n/a"], "l": [[1]] * 5}))
    assert table.numbers("x", np.array([1, 0, 2])).tolist()[:2] == [2.5, 1.0]
    assert np.isnan(table.numbers("x", np.array([2, 4]))).all()
    with pytest.raises(TableError, match=r"column 'x', row 3: '<0\.5' is no number"):
        table.numbers("x", np.array([0, 3]))
    with pytest.raises(TableError, match="holds no numbers but list"):
        table.numbers("l")


def test_moments_sort_times_of_all_kinds() -> None:
    table = open_table(
        pa.table(
            {
                "stamp": [datetime(1970, 1, 2), None],
                "day": [date(1970, 1, 2), None],
                "zoned": pa.array([datetime(1970, 1, 2), None], pa.timestamp("us", "UTC")),
                "text": ["1970-01-02", ""],
                "cycle": [86400, None],
                "bad": ["soon", ""],
            }
        )
    )
    for column in ("stamp", "day", "zoned", "text", "cycle"):
        found = table.moments(column)
        assert found[0] == 86400.0
        assert np.isnan(found[1])
    with pytest.raises(TableError, match="column 'bad', row 0: 'soon' is no date"):
        table.moments("bad")


def test_moments_of_national_dates_follow_the_whole_column() -> None:
    day = 86400.0
    table = open_table(pa.table({"at": ["03/01/1970", "13/01/1970"]}))
    assert table.moments("at").tolist() == [2 * day, 12 * day]
    assert table.moments("at", np.array([0])).tolist() == [2 * day]
    mixed = open_table(pa.table({"at": ["03/01/1970", "04/02/1970"]}))
    with pytest.raises(TableError, match="row 0: '03/01/1970' is no date"):
        mixed.moments("at")


def test_unknown_columns_get_a_hint() -> None:
    table = open_table(pa.table({"voltage": [1], "current": [2]}))
    with pytest.raises(TableError, match=r"no column 'voltge'. Did you mean 'voltage'\?"):
        table.check_columns(["current", "voltge"])
    for call in (table.cells, table.kind, table.numbers, table.codes):
        with pytest.raises(TableError, match="no column 'q'"):
            call("q")


@given(st.lists(st.sampled_from(["a", "b", "c", "", None]), min_size=1))
@settings(deadline=None)
def test_codes_count_values_in_their_order(cells: list[str | None]) -> None:
    table = open_table(pa.table({"x": pa.array(cells, pa.string())}))
    codes, names = table.codes("x")
    assert [names[c] if c >= 0 else None for c in codes] == [c or None for c in cells]


def test_codes_take_nan_as_nothing_and_refuse_lists() -> None:
    table = open_table(pa.table({"x": [2.0, np.nan, None, 2.0], "l": [[1]] * 4}))
    assert table.codes("x")[0].tolist() == [0, -1, -1, 0]
    with pytest.raises(TableError, match="holds lists"):
        table.codes("l")


def test_take_and_select(many: Table) -> None:
    cells = many.take(["x", "name"], np.array([5, 1]))
    assert cells["x"] == [5.0, 1.0]
    assert cells.folder == many.folder
    part = many.select(np.array([999, 3]))
    assert part.rows == 2
    assert part.cells("x") == [999.0, 3.0]
    assert part.source == many.source


# --- windows -----------------------------------------------------------------------------------


def slow_windows(
    frame: pd.DataFrame, by: list[str], order: str, columns: list[str], rows: int
) -> list:
    """Each row's window, by looking through the whole table for every row."""
    out = []
    for i, row in frame.iterrows():
        alone = any(row[b] is None for b in by)
        same = [
            (other[order], j)
            for j, other in frame.iterrows()
            if j == i or (not alone and all(other[b] == row[b] for b in by))
        ]
        before = [j for key, j in sorted(same) if (key, j) <= (row[order], i)][-rows:]
        out.append(frame.loc[before, columns].to_numpy(dtype=np.float32).T)
    return out


@pytest.mark.parametrize("spool_above_mb", [256, 0])
@pytest.mark.parametrize("seed", range(4))
def test_windows_agree_with_a_slow_search(
    seed: int, spool_above_mb: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow_store, "BATCH_ROWS", 16)
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "machine": draw.choice(["a", "b", None], 60, p=[0.5, 0.4, 0.1]),
            "run": draw.integers(0, 3, 60),
            "at": draw.integers(0, 30, 60),
            "x": draw.normal(size=60),
            "y": draw.normal(size=60),
        }
    ).astype({"machine": object})
    frame.loc[frame["machine"].isna(), "machine"] = None
    frame.to_parquet(tmp_path / "t.parquet")
    table = open_table(tmp_path / "t.parquet", spool_above_mb=spool_above_mb)
    history = config.History(by=("machine", "run"), order="at", rows=5)
    found = table.window(["x", "y"], history, np.arange(60))
    wanted = slow_windows(frame, ["machine", "run"], "at", ["x", "y"], 5)
    for one, other in zip(found, wanted, strict=True):
        assert one.x_CL.dtype == np.float32
        np.testing.assert_array_equal(one.x_CL, other)
        assert one[1:] == ("number", ())


def test_a_row_without_its_place_is_named() -> None:
    table = open_table(pa.table({"m": ["a", "a"], "at": [1, None], "x": [1.0, 2.0]}))
    history = config.History(by=("m",), order="at")
    with pytest.raises(TableError, match="column 'at', row 1: empty"):
        table.window(["x"], history, np.array([0]))
