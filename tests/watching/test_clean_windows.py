"""Windows like training's rows raise an alarm in at most 5 % of cases, by the whole of `watch`."""

import numpy as np
import pandas as pd
import pytest

from adapting import job_of, trained
from modalloy.answer.predictor import Predictor
from modalloy.observing.kept import PART, reference_of, reference_to_bytes
from modalloy.runs.saving import add_part
from modalloy.table.open_table import open_table
from modalloy.watching.known import looked_up
from modalloy.watching.watch_run import watch_run
from modalloy.watching.watched import Watched

WINDOWS, ROWS = 200, 300
NUMBERS = ("heat", "load", "speed", "hours", "wear")


def rows_of(rows: int, *, seed: int) -> pd.DataFrame:
    """Five numbers of several shapes, a category and moments; `kind` shows in two of them."""
    draw = np.random.default_rng(seed)
    kind = draw.integers(0, 2, rows)
    cells = {
        "heat": 20.0 + 3.0 * kind + draw.normal(0, 2.0, rows),
        "load": draw.exponential(4.0, rows) + kind,
        "speed": draw.integers(0, 5, rows).astype(float),
        "hours": draw.uniform(0, 24, rows),
        "wear": np.where(draw.random(rows) < 0.1, np.nan, draw.normal(0, 1.0, rows)),
    }
    frame = pd.DataFrame(cells).round(3)
    frame["line"] = np.array(["a", "b", "c"])[draw.integers(0, 3, rows)]
    frame["kind"] = np.array(["cold", "hot"])[kind]
    frame["at"] = pd.date_range("2026-01-01", periods=rows, freq="h")
    return frame


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A run of 1000 rows, of which it keeps what others are compared with."""
    folder = tmp_path_factory.mktemp("clean")
    frame = rows_of(1000, seed=0)
    frame["part"] = np.array(["train", "train", "val", "test"])[np.arange(1000) % 4]
    frame.to_parquet(folder / "old.parquet", index=False)
    columns = {n: {"type": "number"} for n in NUMBERS}
    columns |= {"line": {"type": "category"}}
    tasks = {"kind": {"type": "classify", "target": "kind"}}
    run = trained(folder / "run", job_of(folder / "old.parquet", columns, tasks))
    return Predictor(add_part(run, PART, reference_to_bytes(looked_up(Predictor(run)))))


def watched(predictor: Predictor, frame: pd.DataFrame) -> Watched:
    return watch_run(predictor, open_table(frame), time="at")


def test_clean_windows_raise_few_alarms(predictor: Predictor) -> None:
    """Numbers, names, missing cells, vectors, answers, labels, ADWIN and Page-Hinkley together."""
    reference = reference_of(predictor.run)
    assert reference is not None
    assert {"kind"} == {*reference.said}
    found = [watched(predictor, rows_of(ROWS, seed=1000 + n)) for n in range(WINDOWS)]
    assert min(w.tests for w in found) >= 11
    assert not any("no time" in note for w in found for note in w.notes)
    wrong = [w for w in found if w.drifts]
    assert len(wrong) <= 0.05 * WINDOWS, "\n".join(d.said for w in wrong for d in w.drifts)


def test_streams_are_a_part_of_it(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modalloy.watching.watch_run.alarms_in", lambda tests: [])
    frame = rows_of(ROWS, seed=5)
    assert not watched(predictor, frame).drifts
    frame.loc[ROWS - 100 :, "hours"] = 23.9
    assert [d.where for d in watched(predictor, frame).drifts] == ["hours"]
