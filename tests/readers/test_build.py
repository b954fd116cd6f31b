import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalloy.cells.cells import Cells
from modalloy.errors import RunError, TableError
from modalloy.job import config
from modalloy.readers.build import (
    fit_readers,
    fit_targets,
    from_state,
    in_order,
    read_table,
    targets_from_state,
    to_state,
)
from modalloy.readers.category import CategoryReader
from modalloy.readers.number import NumberReader
from modalloy.readers.reader import Reader
from modalloy.readers.time import TimeReader

TASKS = {
    "fault": {"type": "classify", "target": "fault_code"},
    "life": {"type": "regress", "target": "hours_left"},
    "find": {"type": "tag", "target": "tags", "on": "words"},
    "spots": {"type": "locate", "target": "boxes", "labels": "box_names", "on": "photo"},
}


@pytest.fixture
def whole(small_table: Path, job_dict: Callable[..., dict[str, Any]]) -> tuple[config.Job, Cells]:
    """A job over every kind of column, and all cells of its table."""
    frame = pd.read_parquet(small_table)
    made = job_dict(small_table, tasks=TASKS)
    made["columns"] |= {
        "words": {"type": "tokens", "vocabulary": 128},
        "spectrum": {"type": "vector"},
        "machine": {"type": "group"},
        "hours_left": {"type": "ignore"},
    }
    columns = {name: frame[name].tolist() for name in frame.columns}
    columns["spectrum"] = [[float(i), 1.0] for i in range(len(frame))]
    columns["vibration"] = [None if c is None else np.array(c) for c in columns["vibration"]]
    return config.Job.model_validate(made), Cells(columns, small_table.parent)


def asked(cells: Cells) -> tuple[list[tuple[str, ...]], Callable[[tuple[str, ...]], Cells]]:
    """The columns that were asked for, and the function that notes them."""
    seen: list[tuple[str, ...]] = []

    def cells_of(columns: tuple[str, ...]) -> Cells:
        seen.append(columns)
        return Cells({c: cells[c] for c in columns}, cells.folder)

    return seen, cells_of


def test_every_input_column_gets_its_reader_plain_ones_first(
    whole: tuple[config.Job, Cells],
) -> None:
    job, cells = whole
    _, cells_of = asked(cells)
    readers = fit_readers(job, cells_of)
    assert {n: r.kind for n, r in readers.items()} == {
        "load": "number",
        "site": "category",
        "taken_at": "time",
        "photo": "image",
        "sound": "audio",
        "vibration": "series",
        "note": "text",
        "words": "tokens",
        "spectrum": "vector",
    }
    assert list(readers)[:3] == ["load", "site", "taken_at"]
    for reader in readers.values():
        read = reader.read(cells)
        assert read.present.any()
        assert len(read.status) == len(cells)
        assert all(len(v) == len(cells) for v in read.values.values())


def test_only_the_columns_that_a_reader_needs_are_asked_for(
    whole: tuple[config.Job, Cells],
) -> None:
    job, cells = whole
    series = config.Series(**{"from": ("vibration", "spectrum"), "rpm": "load"})
    plain = job.model_copy(update={"columns": {"both": series}})
    seen, cells_of = asked(cells)
    assert fit_readers(plain, cells_of)["both"].columns == ("vibration", "spectrum", "load")
    assert seen == [("vibration", "spectrum", "load")]
    seen, cells_of = asked(cells)
    fit_targets(job, cells_of)
    assert seen == [("fault_code",), ("hours_left",), ("tags", "words"), ("boxes", "box_names")]


def test_states_are_json_and_read_the_same(whole: tuple[config.Job, Cells]) -> None:
    job, cells = whole
    _, cells_of = asked(cells)
    readers, targets = fit_readers(job, cells_of), fit_targets(job, cells_of)
    again = from_state(json.loads(json.dumps(to_state(readers), allow_nan=False)))
    assert again == readers
    assert list(again) == list(readers)
    for name, reader in readers.items():
        first, second = reader.read(cells), again[name].read(cells)
        assert first.status == second.status
        for key, value in first.values.items():
            assert np.array_equal(value, second.values[key])
    loaded = targets_from_state(json.loads(json.dumps(to_state(targets), allow_nan=False)), job)
    assert loaded == targets


def test_order_survives_a_state_with_sorted_names(whole: tuple[config.Job, Cells]) -> None:
    job, cells = whole
    readers = fit_readers(job, asked(cells)[1])
    again = from_state(json.loads(json.dumps(to_state(readers), sort_keys=True)))
    assert list(again)[:3] == list(readers)[:3]


def test_states_of_another_version_get_a_sentence(whole: tuple[config.Job, Cells]) -> None:
    job, _ = whole
    with pytest.raises(RunError, match="'load' has the kind 'smell', which this version"):
        from_state({"load": {"kind": "smell", "name": "load"}})
    with pytest.raises(RunError, match=r"schema of 'load' \(number\) does not fit"):
        from_state({"load": {"kind": "number", "name": "load", "smell": 1}})
    with pytest.raises(RunError, match="does not know"):
        targets_from_state({"fault": {"kind": "number", "name": "load"}}, job)


def test_an_empty_column_stops_the_job(whole: tuple[config.Job, Cells]) -> None:
    job, cells = whole
    for name in ("load", "site", "taken_at", "photo", "sound", "vibration", "note", "words"):
        emptied = Cells({**cells.columns, name: [None] * len(cells)}, cells.folder)
        with pytest.raises(TableError, match=f"column '{name}' is empty in all 80 training rows"):
            fit_readers(job, asked(emptied)[1])


# --- tabular columns together --------------------------------------------------------------------

PLAIN: list[Reader] = [
    TimeReader("t1", ("day",), 738_000.0, 30.0, (737_000.0, 739_000.0)),
    CategoryReader("c1", ("a", "b")),
    NumberReader("n1", 0.0, 1.0, (0.0, 1.0)),
    NumberReader("n2", 5.0, 2.0, (0.0, 1.0)),
    TimeReader("t2", ("day", "week", "year"), 738_000.0, 30.0, (737_000.0, 739_000.0)),
]


def test_plain_columns_are_stacked_in_one_order() -> None:
    cells = Cells(
        {
            "t1": ["2024-01-01 06:00", None],
            "t2": ["soon", "2024-01-02"],
            "c1": ["b", "z"],
            "n1": [2.0, None],
            "n2": [None, 7.0],
        }
    )
    read = read_table(PLAIN, cells)
    assert [r.name for r in in_order({r.name: r for r in PLAIN}).values()] == [
        "n1", "n2", "c1", "t1", "t2",
    ]  # fmt: skip
    assert {k: v.shape for k, v in read.values.items()} == {
        "number": (2, 2),
        "category": (2, 1),
        "time": (2, 2, 7),
    }
    assert read.values["category"].tolist() == [[2], [0]]
    assert read.values["category"].dtype == np.int64
    assert read.values["number"][0, 1] == 0
    assert read.values["time"][0, 0, 0] == pytest.approx(1.0)
    assert not read.values["time"][0, 0, 3:].any()
    assert read.present.tolist() == [[1, 0, 1, 1, 0], [0, 1, 1, 0, 1]]
    assert [s[0].split(":")[0] for s in read.status] == ["ok", "missing", "ok", "ok", "unreadable"]
    assert read.status[2][1] == "unknown: z"


def test_a_kind_without_columns_is_left_out() -> None:
    read = read_table([PLAIN[1]], Cells({"c1": ["a"]}))
    assert list(read.values) == ["category"]
    assert read_table([], Cells({"c1": ["a", "b"]})).present.shape == (2, 0)


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.datetimes()),
            st.one_of(st.none(), st.sampled_from("abz")),
            st.one_of(st.none(), st.floats()),
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(deadline=None, max_examples=60)
def test_a_row_reads_alone_as_it_does_among_others(rows: list[tuple[Any, Any, Any]]) -> None:
    times, names, numbers = (list(c) for c in zip(*rows, strict=True))
    columns = {"t1": times, "t2": times, "c1": names, "n1": numbers, "n2": numbers}
    together = read_table(PLAIN, Cells(columns))
    assert all(np.isfinite(v).all() for v in together.values.values())
    for row in range(len(rows)):
        alone = read_table(PLAIN, Cells({n: [c[row]] for n, c in columns.items()}))
        for key, value in alone.values.items():
            assert np.array_equal(value[0], together.values[key][row])
        assert np.array_equal(alone.present[0], together.present[row])
        assert [s[0] for s in alone.status] == [s[row] for s in together.status]


def test_reading_needs_no_torch() -> None:
    code = (
        "import sys, modalloy.readers.build as b; "
        "bad = [m for m in ('torch', 'transformers', 'huggingface_hub') if m in sys.modules]; "
        "sys.exit(' '.join(bad) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
