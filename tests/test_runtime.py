"""A bundle as a function of rows: frames and Arrow, in this process and others, without torch."""

import os
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
from golden_rows import BUNDLE, FOLDER, golden_answers, golden_rows
from modalloy import runtime
from modalloy.answer.engines import engine_for
from modalloy.answer.predictor import Predictor
from modalloy.bundle.bundled import load_bundle
from modalloy.errors import BundleError, JobError, TableError

NEVER = {"torch", "transformers", "sklearn", "scipy"}


KEEP = ["machine"]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """The golden table, with an index of its own."""
    return golden_rows().set_axis(range(100, 148))


def test_frames_give_frames_that_say_what_the_bundle_says(rows: pd.DataFrame) -> None:
    got = runtime.answerer(BUNDLE, keep=KEEP)(rows)
    expected = runtime.open(BUNDLE).frame(rows)
    pd.testing.assert_frame_equal(got[expected.columns].reset_index(drop=True), expected)
    assert list(got.columns) == ["machine", *expected.columns]
    assert got.index.tolist() == rows.index.tolist()
    assert got["machine"].tolist() == rows["machine"].tolist()
    assert got.attrs == expected.attrs
    said = golden_answers()
    assert got["fault"].tolist() == said["fault"]
    assert np.allclose(got["life"], said["life"], rtol=1e-4)


def test_arrow_gives_arrow(rows: pd.DataFrame) -> None:
    answer = runtime.answerer(BUNDLE, keep=KEEP)
    frame, table = answer(rows), pa.Table.from_pandas(rows, preserve_index=False)
    got = answer(table)
    assert isinstance(got, pa.Table)
    pd.testing.assert_frame_equal(got.to_pandas(), frame.reset_index(drop=True))
    batch = answer(table.to_batches()[0])
    assert isinstance(batch, pa.RecordBatch)
    assert batch.equals(got.combine_chunks().to_batches()[0])
    with pytest.raises(TableError, match="not list"):
        answer([1, 2])


def test_no_rows_give_no_answers_of_the_same_columns(rows: pd.DataFrame) -> None:
    answer = runtime.answerer(BUNDLE, keep=KEEP)
    full, none = answer(rows), answer(rows[:0])
    assert len(none) == 0
    assert none.dtypes.equals(full.dtypes)
    table = pa.Table.from_pandas(rows[:0], preserve_index=False)
    assert answer(table).column_names == list(full.columns)
    assert answer(pa.RecordBatch.from_pandas(rows[:0])).num_rows == 0


def test_it_pickles_as_its_path_and_options() -> None:
    answer = runtime.answerer(BUNDLE, keep=KEEP)
    assert answer.predictor is answer.predictor
    written = pickle.dumps(answer)
    assert len(written) < 500
    again = pickle.loads(written)
    assert vars(again) == vars(answer)
    assert again.predictor is answer.predictor  # one a process


def test_threads_are_those_of_its_graphs(rows: pd.DataFrame) -> None:
    for threads in (1, 3):
        asked = runtime.answerer(BUNDLE, threads=threads)
        for session in asked.predictor.engine.sessions.values():
            assert session.session.get_session_options().intra_op_num_threads == threads
        assert asked(rows)["fault"].tolist() == golden_answers()["fault"]


def test_it_is_opened_once_however_many_ask(
    rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    real = modalloy.runtime.open
    monkeypatch.setattr(modalloy.runtime, "_LOADED", {})
    monkeypatch.setattr(
        modalloy.runtime, "open", lambda *a, **k: (opened.append(a), real(*a, **k))[1]
    )
    answer, found = runtime.answerer(BUNDLE), []
    threads = [threading.Thread(target=lambda: found.append(answer(rows))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 1
    for one in found[1:]:
        pd.testing.assert_frame_equal(one, found[0])


def test_what_cannot_be_answered_is_refused(rows: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no column 'line'"):
        runtime.answerer(BUNDLE, keep=["line"])(rows)
    with pytest.raises(TableError, match="has none of the columns"):
        runtime.answerer(BUNDLE)(rows[["machine"]])
    (tmp_path / "broken.zip").write_bytes(BUNDLE.read_bytes()[:-100])
    with pytest.raises(BundleError, match=r"broken\.zip"):
        runtime.answerer(tmp_path / "broken.zip")(rows)
    key = tmp_path / "key.pem"
    key.write_text("no key")
    with pytest.raises(BundleError):
        runtime.open(BUNDLE, trust=key)


def test_columns_to_keep_are_a_list_of_different_names(rows: pd.DataFrame) -> None:
    with pytest.raises(TableError, match=r"a list of columns, as in keep=\['machine'\], not one"):
        runtime.answerer(BUNDLE, keep="machine")
    with pytest.raises(TableError, match="names the column 'machine' twice"):
        runtime.answerer(BUNDLE, keep=["machine", "load", "machine"])
    own = rows.assign(fault="crack")
    answer = runtime.answerer(BUNDLE, keep=["fault"])
    for some in (own, own[:0], pa.Table.from_pandas(own, preserve_index=False)):
        with pytest.raises(TableError, match="answers have a column 'fault' of their own; rename"):
            answer(some)
    twice = pd.concat([rows, rows[["machine"]]], axis=1)
    table = pa.Table.from_pandas(rows, preserve_index=False)
    arrow = table.append_column("machine", table["machine"])
    for some in (twice, arrow):
        with pytest.raises(TableError, match="the rows have two columns 'machine'"):
            runtime.answerer(BUNDLE, keep=KEEP)(some)


@pytest.mark.parametrize("threads", [0, -2, 1.5, True])
def test_less_than_one_thread_is_refused(threads: int) -> None:
    for asked in (runtime.open, runtime.answerer, Predictor):
        with pytest.raises(JobError, match=f"threads: {threads} is no number of threads; give 1"):
            asked(BUNDLE, threads=threads)
    with pytest.raises(JobError, match="is no number of threads"):
        engine_for(load_bundle(BUNDLE), threads=threads)


def test_devices_are_named_in_any_case(rows: pd.DataFrame) -> None:
    assert runtime.open(BUNDLE, device="CPU").run.device == "cpu"  # type: ignore[attr-defined]
    engine = engine_for(load_bundle(BUNDLE, device="Auto"), device="Cpu")
    assert {s.device for s in engine.sessions.values()} == {"cpu"}  # type: ignore[attr-defined]
    with pytest.raises(BundleError, match=r"device 'GPUs' is none; .*\. Did you mean 'gpu'\?"):
        runtime.answerer(BUNDLE, device="GPUs")(rows)


ANSWER = """
import sys
from modalloy import runtime
light = {name.split(".")[0] for name in sys.modules}
answers = runtime.answerer(sys.argv[1])
import pandas as pd
frame = answers(pd.read_csv(sys.argv[2], sep=";"))
print("LIGHT", *sorted(light & {"numpy", "pandas", "pyarrow", "pydantic", "onnxruntime"}))
print("HEAVY", *sorted({name.split(".")[0] for name in sys.modules} & set(sys.argv[3:])))
print(len(frame))
"""


def test_answering_loads_nothing_that_trains() -> None:
    told = [str(BUNDLE), str(FOLDER / "parts.csv"), *sorted(NEVER)]
    command = [sys.executable, "-c", ANSWER, *told]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["LIGHT", "HEAVY", "48"]


def test_a_bundle_that_is_replaced_is_opened_anew(rows: pd.DataFrame, tmp_path: Path) -> None:
    place = tmp_path / "model.zip"
    place.write_bytes(BUNDLE.read_bytes())
    answer = runtime.answerer(place)
    first = answer.predictor
    assert answer.predictor is first
    other = tmp_path / "other.zip"
    other.write_bytes(b"no bundle")
    other.replace(place)
    with pytest.raises(BundleError):
        answer(rows)
    other.write_bytes(BUNDLE.read_bytes())
    other.replace(place)
    assert answer.predictor is not first
    assert answer(rows)["fault"].tolist() == golden_answers()["fault"]


FORKED = """
import os, sys
from modalloy import runtime
answer = runtime.answerer(sys.argv[1])
before = answer.predictor
runtime._LOADING.acquire()  # as by another thread of the parent
child = os.fork()
if not child:
    os._exit(0 if answer.predictor is not before else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
def test_a_forked_child_opens_its_own() -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKED, str(BUNDLE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["0"]
