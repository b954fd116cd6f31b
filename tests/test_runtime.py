"""A bundle as a function of rows: frames and Arrow, in this process and others, without torch."""

import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import modalloy.runtime
from bundle_cases import small_bundle
from modalloy import runtime
from modalloy.answer.predictor import Predictor
from modalloy.errors import BundleError, TableError
from modalloy.runs.run import load_run

NEVER = {"torch", "transformers", "sklearn", "scipy"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `run`, `model.zip`, which is its bundle, and the small table."""
    folder = tmp_path_factory.mktemp("bundle")
    small_bundle(folder)
    return folder


@pytest.fixture(scope="module")
def rows(place: Path) -> pd.DataFrame:
    """The small table, with an index of its own."""
    return pd.read_parquet(place / "parts.parquet")[["machine", "load", "note"]].set_axis(
        range(100, 180)
    )


def test_frames_give_frames_that_say_what_the_run_says(place: Path, rows: pd.DataFrame) -> None:
    got = runtime.answerer(place / "model.zip", keep=["machine"])(rows)
    expected = Predictor(load_run(place / "run")).frame(rows)
    assert list(got.columns) == ["machine", *expected.columns]
    assert got.index.tolist() == rows.index.tolist()
    assert got["machine"].tolist() == rows["machine"].tolist()
    for name in expected:
        if expected[name].dtype.kind == "f":
            assert np.allclose(got[name], expected[name], rtol=1e-5, atol=1e-6)
        else:
            assert got[name].tolist() == expected[name].tolist()
    assert got.attrs["caveats"] == expected.attrs["caveats"]


def test_arrow_gives_arrow(place: Path, rows: pd.DataFrame) -> None:
    answer = runtime.answerer(place / "model.zip", keep=["machine"])
    frame, table = answer(rows), pa.Table.from_pandas(rows, preserve_index=False)
    got = answer(table)
    assert isinstance(got, pa.Table)
    pd.testing.assert_frame_equal(got.to_pandas(), frame.reset_index(drop=True))
    batch = answer(table.to_batches()[0])
    assert isinstance(batch, pa.RecordBatch)
    assert batch.equals(got.combine_chunks().to_batches()[0])
    with pytest.raises(TableError, match="not list"):
        answer([1, 2])


def test_no_rows_give_no_answers_of_the_same_columns(place: Path, rows: pd.DataFrame) -> None:
    answer = runtime.answerer(place / "model.zip", keep=["machine"])
    full, none = answer(rows), answer(rows[:0])
    assert len(none) == 0
    assert none.dtypes.equals(full.dtypes)
    table = pa.Table.from_pandas(rows[:0], preserve_index=False)
    assert answer(table).column_names == list(full.columns)
    assert answer(empty := pa.RecordBatch.from_pandas(rows[:0])).num_rows == empty.num_rows == 0


def test_it_pickles_as_its_path_and_options(place: Path) -> None:
    answer = runtime.answerer(place / "model.zip", keep=["machine"])
    assert answer.predictor is answer.predictor
    written = pickle.dumps(answer)
    assert len(written) < 500
    again = pickle.loads(written)
    assert vars(again) == vars(answer)
    assert again.predictor is answer.predictor  # one a process


def test_it_is_opened_once_however_many_ask(
    place: Path, rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    real = modalloy.runtime.open
    monkeypatch.setattr(modalloy.runtime, "_LOADED", {})
    monkeypatch.setattr(
        modalloy.runtime, "open", lambda *a, **k: (opened.append(a), real(*a, **k))[1]
    )
    answer, found = runtime.answerer(place / "model.zip"), []
    threads = [threading.Thread(target=lambda: found.append(answer(rows))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 1
    for one in found[1:]:
        pd.testing.assert_frame_equal(one, found[0])


def test_what_cannot_be_answered_is_refused(place: Path, rows: pd.DataFrame) -> None:
    with pytest.raises(TableError, match="no column 'line'"):
        runtime.answerer(place / "model.zip", keep=["line"])(rows)
    with pytest.raises(TableError, match="has none of the columns"):
        runtime.answerer(place / "model.zip")(rows[["machine"]])
    (place / "broken.zip").write_bytes((place / "model.zip").read_bytes()[:-100])
    with pytest.raises(BundleError, match=r"broken\.zip"):
        runtime.answerer(place / "broken.zip")(rows)
    key = place / "key.pem"
    key.write_text("no key")
    with pytest.raises(BundleError):
        runtime.open(place / "model.zip", trust=key)


ANSWER = """
import sys
from modalloy import runtime
light = {name.split(".")[0] for name in sys.modules}
answers = runtime.answerer(sys.argv[1])
import pandas as pd
frame = answers(pd.read_parquet(sys.argv[2]))
print("LIGHT", *sorted(light & {"numpy", "pandas", "pyarrow", "pydantic", "onnxruntime"}))
print("HEAVY", *sorted({name.split(".")[0] for name in sys.modules} & set(sys.argv[3:])))
print(len(frame))
"""


def test_answering_loads_nothing_that_trains(place: Path) -> None:
    told = [str(place / "model.zip"), str(place / "parts.parquet"), *sorted(NEVER)]
    command = [sys.executable, "-c", ANSWER, *told]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["LIGHT ", "HEAVY ", "80"]
