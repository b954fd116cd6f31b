"""Plain cells and labels: each row is read once, when it is asked for, and kept in few bytes."""

import threading
import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest

from modalloy.answer import loader as module
from modalloy.answer.kept_cells import CELLS_AT_ONCE, Kept
from modalloy.answer.loader import Loader
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.readers.build import fit_readers, fit_targets
from modalloy.table.open_table import open_table
from modalloy.table.table import Table

JOB: dict[str, Any] = {
    "table": "parts.csv",
    "split": {"random": "stratified"},
    "columns": {"load": {"type": "number"}, "site": {"type": "category"}},
    "tasks": {"life": {"type": "regress", "target": "hours"}},
}


def frame_of(rows: int) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"load": draw.normal(size=rows), "site": draw.choice(["a", "b"], rows)})
    frame["hours"] = frame["load"] * 2 + 1
    return frame


def rows_of(frame: pd.DataFrame, *, strict: bool = False, **columns: Any) -> Loader:
    """Fitted on the first hundred rows."""
    job = load_job(JOB | {"columns": JOB["columns"] | columns}, table=frame)
    table = open_table(frame)
    few = np.arange(min(100, len(frame)))
    readers = fit_readers(job, lambda names: table.take(names, few))
    targets = fit_targets(job, lambda names: table.take(names, few))
    return Loader(table, job, readers, targets, strict=strict)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each look at the table took."""
    seen: list[int] = []
    real = Table.take

    def counted(self: Table, columns: Any, rows: np.ndarray) -> Any:
        if len(columns):
            seen.append(len(rows))
        return real(self, columns, rows)

    monkeypatch.setattr(Table, "take", counted)
    return seen


def test_one_row_costs_one_row(taken: list[int]) -> None:
    loader = rows_of(frame_of(50_000))
    taken.clear()
    loader.batch(np.array([31_000]))
    assert taken == [1, 1]  # the cells, the label
    [_] = loader.stream([np.array([7])])
    assert taken == [1] * 4


@pytest.mark.parametrize("batch", [16, 100, 5000])
def test_an_epoch_reads_each_cell_once_in_few_large_readings(taken: list[int], batch: int) -> None:
    loader = rows_of(frame_of(20_000))
    taken.clear()
    order = np.random.default_rng(0).permutation(20_000)
    for _ in range(2):
        for _batch in loader.stream(order[i : i + batch] for i in range(0, 20_000, batch)):
            pass
        assert sum(taken) == 2 * 20_000  # cells, labels
    assert len(taken) < 30


@pytest.mark.parametrize("asked", [5, 300, 4000])
def test_some_rows_cost_as_many(taken: list[int], asked: int) -> None:
    loader = rows_of(frame_of(50_000))
    taken.clear()
    which = np.arange(40_000, 40_000 + asked)
    for _ in loader.stream(which[i : i + 64] for i in range(0, asked, 64)):
        pass
    assert sum(taken) == 2 * asked  # cells, labels


def test_wide_tables_are_read_fewer_rows_at_a_time() -> None:
    sizes: list[int] = []

    def read(some: np.ndarray) -> dict[str, np.ndarray]:
        sizes.append(len(some))
        return {"x": np.zeros((len(some), 8000), np.float32)}

    Kept(200, 8000).get(np.arange(100), read)
    assert sum(sizes) == 100
    assert max(sizes) * 8000 <= CELLS_AT_ONCE


def test_batches_are_the_same_however_rows_were_read() -> None:
    frame = frame_of(3000)
    frame["taken"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(3000), unit="h")
    frame.loc[frame.index % 7 == 2, "load"] = None
    at_once = rows_of(frame, taken={"type": "time"}).batch(np.arange(3000))
    bitwise = rows_of(frame, taken={"type": "time"})
    order = np.random.default_rng(1).permutation(3000)
    for some in np.array_split(order, 47):
        batch = bitwise.batch(some)
        assert (batch.present["table"] == at_once.present["table"][some]).all()
        assert batch.values["table"].keys() == {"number", "category", "time"}
        for name, values in batch.values["table"].items():
            assert values.dtype == at_once.values["table"][name].dtype
            assert (values == at_once.values["table"][name][some]).all()
        assert (batch.targets["life"]["y"] == at_once.targets["life"]["y"][some]).all()


def test_a_number_or_a_category_takes_five_bytes() -> None:
    loader = rows_of(frame_of(40_000))
    loader.batch(np.arange(40_000))
    held = loader._tabular
    assert held.row_bytes == 2 * (4 + 1) + 1  # a mark that the row was read
    many = Kept(1000)
    many.get(np.arange(1000), lambda some: {"time": np.zeros((len(some), 1, 5), np.float32)})
    assert many.row_bytes == 4 * 5 + 1


def test_memory_of_a_large_table_stays_small() -> None:
    count = 50_000
    frame = frame_of(count)
    frame.loc[::2, "load"] = None  # statuses of missing cells take no more
    loader = rows_of(frame)
    tracemalloc.start()
    try:
        for _ in loader.stream(np.array_split(np.arange(count), 50)):
            pass
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Of a row: two cells and a mark, two statuses, one label and a mark, its place in the order.
    assert kept / count < 11 + 2 + 6 + 8 + 1
    assert (most - kept) / CELLS_AT_ONCE < 200  # Python values of one reading


def test_tables_beyond_the_limit_are_read_a_batch_at_a_time(
    taken: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = rows_of(frame_of(300))
    wanted = loader.batch(np.arange(7)).values["table"]
    monkeypatch.setattr(module, "TABULAR_CELLS_KEPT", 599)
    again = rows_of(frame_of(300))
    taken.clear()
    for _ in range(2):
        found = again.batch(np.arange(7)).values["table"]
        assert all((found[n] == wanted[n]).all() for n in wanted)
    assert taken == [7, 7, 7]  # cells twice, labels once


def test_a_cell_that_cannot_be_read_stops_the_batch_that_holds_it() -> None:
    frame = frame_of(400)
    frame["day"] = ["2024-05-31"] * 399 + ["soon"]
    loader = rows_of(frame, strict=True, day={"type": "time"})
    stream = loader.stream(np.arange(start, start + 50) for start in range(0, 400, 50))
    for _ in range(7):  # the last row is read with them, ahead of its time
        next(stream)
    with pytest.raises(TableError, match="row 399"):
        next(stream)
    with pytest.raises(TableError, match="column 'day', row 399: unreadable: 'soon' is no date"):
        loader.batch(np.array([398, 399]))
    with pytest.raises(TableError, match="row 399"):
        loader.batch(np.array([399]))


def test_a_label_of_a_row_that_nobody_asks_for_is_not_read() -> None:
    frame = frame_of(300).astype({"hours": object})
    frame.loc[299, "hours"] = "unknown amount"
    loader = rows_of(frame)
    assert loader.batch(np.arange(299)).targets["life"]["known"].all()
    with pytest.raises(TableError, match="'unknown amount'"):
        loader.batch(np.array([299]))


def test_threads_share_what_was_read() -> None:
    count = np.zeros(5000, dtype=int)

    def read(some: np.ndarray) -> dict[str, np.ndarray]:
        count[some] += 1
        return {"x": some * 2}

    kept = Kept(5000)
    wrong: list[int] = []

    def go(seed: int) -> None:
        order = np.array_split(np.random.default_rng(seed).permutation(5000), 100)
        for at, some in enumerate(order):
            if not np.array_equal(kept.get(some, read, order[at + 1 : at + 9])["x"], some * 2):
                wrong.append(seed)

    threads = [threading.Thread(target=go, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert (count == 1).all()


def test_no_row_at_all_has_the_arrays_types() -> None:
    loader = rows_of(frame_of(200))
    batch = loader.batch(np.zeros(0, dtype=np.int64))
    assert {n: tuple(v.shape) for n, v in batch.values["table"].items()} == {
        "number": (0, 1),
        "category": (0, 1),
    }
    assert isinstance(loader.job.columns["load"], config.Number)


def test_lengths_hold_few_texts_at_a_time(
    taken: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = frame_of(1000)
    frame["note"] = ["x" * (i % 9) or None for i in range(1000)]
    loader = rows_of(frame, note={"type": "text", "vocabulary": 64})
    monkeypatch.setattr(module, "STRINGS_AT_ONCE", 300)
    taken.clear()
    lengths = loader.lengths(np.arange(999, -1, -1))
    assert lengths is not None
    assert lengths.tolist() == [i % 9 for i in range(999, -1, -1)]
    assert taken == [300, 300, 300, 100]
