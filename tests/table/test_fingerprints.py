"""Fingerprints of rows: the same in every format and place, other for other cells."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import make_job, write_table
from modalloy.job.job_file import load_job
from modalloy.table.fingerprints import fingerprints, same_parts, seen_before
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

PLAIN = ("note", "load", "site", "photo", "sound", "taken_at")


@pytest.fixture
def frame(tmp_path: Path) -> pd.DataFrame:
    """The small table without its lists and times."""
    return pd.read_parquet(write_table(tmp_path))


def prints(frame: pd.DataFrame, **changes: object) -> np.ndarray:
    """Fingerprints of a frame's rows."""
    job = load_job(make_job("x.csv", columns=PLAIN, **changes), table=frame)
    return fingerprints(open_table(frame), job)


def test_formats_agree(frame: pd.DataFrame, tmp_path: Path) -> None:
    job = load_job(make_job(tmp_path / "parts.parquet", columns=PLAIN))
    frame.to_csv(tmp_path / "again.csv", index=False)
    a, b = (fingerprints(open_table(tmp_path / n), job) for n in ("parts.parquet", "again.csv"))
    np.testing.assert_array_equal(a, b)
    assert len(set(a.tolist())) == len(a)


def test_answers_and_places_do_not_count_and_inputs_do(frame: pd.DataFrame) -> None:
    first = prints(frame)
    np.testing.assert_array_equal(prints(frame.assign(fault_code="ok", hours_left=0.0)), first)
    np.testing.assert_array_equal(prints(frame[::-1]), first[::-1])
    other = prints(frame.assign(load=frame["load"] + (frame.index == 5)))
    assert np.flatnonzero(other != first).tolist() == [5]
    without = prints(frame.drop(columns="note"))
    np.testing.assert_array_equal(without != first, frame["note"].notna())


def test_rows_that_repeat_name_nobody() -> None:
    learned = np.array([1, 2, 2, 3])
    assert seen_before(np.array([1, 2, 3, 4]), learned).tolist() == [True, False, True, False]


def test_parts_are_the_same_until_a_row_is_added(frame: pd.DataFrame) -> None:
    job = load_job(make_job("x.csv", columns=PLAIN), table=frame)
    table = open_table(frame)
    parts = split_job(table, job)
    known = type(parts)(*(fingerprints(table, job, p) for p in parts))
    assert same_parts(table, job, parts, known)
    for changed in (pd.concat([frame, frame.tail(3)], ignore_index=True), frame[::-1]):
        grown = open_table(changed.reset_index(drop=True))
        assert not same_parts(grown, job, split_job(grown, job), known)


def test_a_day_is_its_midnight(frame: pd.DataFrame) -> None:
    days = pd.to_datetime(frame["taken_at"]).dt.normalize()
    first = prints(frame.assign(taken_at=days))
    np.testing.assert_array_equal(prints(frame.assign(taken_at=days.dt.date)), first)
    assert (prints(frame.assign(taken_at=days + pd.Timedelta(hours=1))) != first).all()
