"""One predictor for any rows, from any thread, with the inputs that are asked for and no others."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from modalloy.answer.answers import Answers
from modalloy.answer.loader import Loader
from modalloy.answer.prediction import Prediction
from modalloy.answer.predictor import Predictor
from modalloy.errors import TableError
from modalloy.table.table import open_table


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, no_lines: None) -> tuple[Predictor, Path]:
    """A predictor over every kind of column, and the table that it learned from."""
    from conftest import make_job, write_table

    folder = tmp_path_factory.mktemp("predictor")
    table = write_table(folder)
    job = make_job(table, fuse={"type": "attention", "width": 16, "layers": 1, "heads": 2})
    job["train"]["epochs"] = 1
    ma.train(job | {"blend": {}}, out=folder / "run", quiet=True)
    return Predictor(folder / "run"), table


def cells_of(table: Path, count: int) -> list[dict[str, Any]]:
    """Rows as people send them: media as bytes, and no key where there is nothing."""
    found = []
    for row in pd.read_parquet(table).head(count).to_dict("records"):
        cells = {k: v for k, v in row.items() if not isinstance(v, float) or v == v}
        for name in ("photo", "sound"):
            if name in cells:
                cells[name] = (table.parent / cells[name]).read_bytes()
        found.append({k: v for k, v in cells.items() if v is not None})
    return found


def assert_same_bits(a: Answers, b: Answers) -> None:
    assert a.keys() == b.keys()
    for task in a:
        for key in a[task]:
            assert np.array_equal(a[task][key], b[task][key]), (task, key)


def test_the_frame_is_what_predict_writes(trained: tuple[Predictor, Path]) -> None:
    predictor, table = trained
    wanted = ma.predict(predictor.run, table, quiet=True)
    found = predictor.frame(table)
    pd.testing.assert_frame_equal(found, wanted)
    assert found.attrs == wanted.attrs
    part = predictor.frame(table, part=slice(4, 9))
    pd.testing.assert_frame_equal(
        part, ma.predict(predictor.run, table, rows=slice(4, 9), quiet=True)
    )


def test_rows_come_in_any_form(trained: tuple[Predictor, Path]) -> None:
    predictor, table = trained
    wanted = predictor.answers(table, part=slice(0, 24))
    rows = cells_of(table, 24)
    names = dict.fromkeys(name for row in rows for name in row)
    forms = {
        "a list of rows": rows,
        "columns": {name: [row.get(name) for row in rows] for name in names},
        "a frame": pd.DataFrame(rows),
    }
    for form, given in forms.items():
        found = predictor.answers(given)
        assert_same_bits(found.answers, wanted.answers)
        assert found.status == wanted.status, form
    views = [{k: memoryview(v) if isinstance(v, bytes) else v for k, v in r.items()} for r in rows]
    assert_same_bits(predictor.answers(views).answers, wanted.answers)
    assert len(wanted) == len(wanted["life"]["value"]) == 24


def test_one_row_may_lack_any_column(trained: tuple[Predictor, Path]) -> None:
    predictor, table = trained
    found = predictor.answers([{"load": 9.5, "note": "crack near the weld"}])
    assert found.status["load"] == found.status["note"] == ["ok"]
    assert found.status["photo"] == ["missing"]
    assert np.isfinite(found["life"]["value"]).all()
    assert any("photo: absent" in caveat for caveat in found.caveats)
    blank = pd.read_parquet(table).head(1).assign(load=9.5, note="crack near the weld")
    others = [n for n in predictor.run.readers if n not in ("load", "note")]
    blank[others] = None
    assert_same_bits(found.answers, predictor.answers(blank).answers)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"load": [1.0, 2.0], "note": ["a"]}, "column 'load' has 2 cells, 'note' has 1"),
        ({"note": "one text"}, "column 'note' is one str, not a list with a cell a row"),
        ({"load": 3.5}, "column 'load' is one float, not a list"),
        ([], "no columns"),
        ([{"weight": 3.5}], "has none of the columns this model reads: .*It has weight"),
        (7, "a path, a pandas frame, a pyarrow table or cells by column or row, not int"),
    ],
)
def test_what_is_no_rows_gets_a_sentence(
    trained: tuple[Predictor, Path], rows: Any, words: str
) -> None:
    with pytest.raises(TableError, match=words):
        trained[0].answers(rows)


def test_a_column_that_is_not_asked_for_is_never_looked_at(
    trained: tuple[Predictor, Path], tmp_path: Path
) -> None:
    predictor, table = trained
    frame = pd.read_parquet(table).head(20)
    shown = ["photo", "note", "load"]
    less = frame.drop(columns=[n for n in predictor.run.readers if n not in shown])
    wanted = predictor.answers(open_table(less, folder=table.parent))
    broken = frame.assign(sound="no such file.wav", vibration="no list", site=None, taken_at="?")
    for name in ("sound", "vibration"):
        (tmp_path / name).mkdir()
    for given in (frame, broken):
        found = predictor.answers(open_table(given, folder=table.parent), inputs=shown)
        assert_same_bits(found.answers, wanted.answers)
        assert list(found.status) == ["load", "photo", "note"]
        assert found.caveats == []
    everything = predictor.answers(open_table(frame, folder=table.parent))
    assert not np.array_equal(everything["life"]["value"], wanted["life"]["value"])


def test_only_columns_that_are_asked_for_are_taken_from_the_table(
    trained: tuple[Predictor, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, table = trained
    opened = open_table(table)
    taken: set[str] = set()
    take = type(opened).take

    def noted(self: Any, columns: Any, rows: np.ndarray) -> Any:
        taken.update(columns)
        return take(self, columns, rows)

    monkeypatch.setattr(type(opened), "take", noted)
    predictor.answers(opened, inputs=["load", "note"], part=slice(0, 6))
    assert taken == {"load", "note"}


def test_a_column_that_two_inputs_share_is_read_and_still_hidden(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    job = job_dict(small_table, columns=("load", "site"))
    job["columns"]["both"] = {
        "type": "series",
        "from": ["load", "hours"],
        "history": {"by": ["machine"], "order": "taken_at", "rows": 4},
    }
    frame = pd.read_parquet(small_table).assign(hours=lambda f: f["load"] * 2)
    frame.to_parquet(small_table)
    predictor = Predictor(ma.train(job, out=tmp_path / "run", quiet=True))
    which = np.arange(12)
    loader, _ = predictor.open(open_table(small_table), inputs=["both"])
    batch = loader.batch(which)
    assert batch.present["both"].any()
    assert not batch.present["table"].any()
    alone = predictor.answers(frame.head(12), inputs=["both"])
    assert list(alone.status) == ["both"]
    other = predictor.answers(frame.head(12).assign(site="moon"), inputs=["both"])
    assert_same_bits(alone.answers, other.answers)


def test_an_unknown_input_gets_a_sentence(trained: tuple[Predictor, Path]) -> None:
    predictor, table = trained
    with pytest.raises(
        TableError, match=r"reads no column 'foto'. Did you mean 'photo'\?.*It reads load"
    ):
        predictor.answers(table, inputs=["note", "foto"])


def test_hidden_inputs_are_answered_beside_everything(trained: tuple[Predictor, Path]) -> None:
    predictor, table = trained
    hidden = frozenset({"photo"})
    found = predictor.answers(table, hidden=[hidden], part=slice(0, 12))
    less = predictor.answers(
        table, inputs=[n for n in predictor.run.readers if n != "photo"], part=slice(0, 12)
    )
    np.testing.assert_allclose(
        found.hidden[hidden]["life"]["value"], less["life"]["value"], rtol=1e-4
    )
    assert found.hidden.keys() == {hidden}


def test_embeddings_are_those_of_the_network(trained: tuple[Predictor, Path]) -> None:
    predictor, table = trained
    found = predictor.embed(table)
    assert list(found.columns) == ["table", "photo", "sound", "vibration", "note"]
    assert {x.shape for x in (*found.columns.values(), found.fused)} == {(80, 16)}
    assert found.fused.dtype == np.float32
    some = predictor.embed(table, inputs=["note", "site"], part=slice(3, 9))
    assert list(some.columns) == ["table", "note"]
    np.testing.assert_allclose(
        some.columns["note"], found.columns["note"][3:9], rtol=1e-4, atol=1e-5
    )
    assert not np.allclose(some.fused, found.fused[3:9])
    # Row 3 lacks its photo, row 14 too: both have what was learned for a missing one.
    photo = found.columns["photo"]
    assert np.array_equal(photo[3], photo[14])
    assert not np.array_equal(photo[3], photo[4])
    assert predictor.embed(table, part=slice(0, 0)).fused.shape == (0, 16)


def test_threads_give_the_bits_of_one_after_the_other(trained: tuple[Predictor, Path]) -> None:
    predictor, table = trained
    frame = pd.read_parquet(table)
    tables = [
        open_table(frame.iloc[9 * i : 9 * i + 3 + i].reset_index(drop=True), folder=table.parent)
        for i in range(8)
    ]
    wanted = [predictor.answers(t) for t in tables]
    vectors = [predictor.embed(t).fused for t in tables]
    found: dict[int, list[tuple[Prediction, np.ndarray]]] = {i: [] for i in range(8)}
    gate = threading.Barrier(8)

    def ask(i: int) -> None:
        gate.wait()
        for _ in range(3):
            found[i].append((predictor.answers(tables[i]), predictor.embed(tables[i]).fused))

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(8):
        assert len(found[i]) == 3
        for answer, vector in found[i]:
            assert_same_bits(answer.answers, wanted[i].answers)
            assert answer.status == wanted[i].status
            assert np.array_equal(vector, vectors[i])


def test_it_is_a_name_of_the_package() -> None:
    assert ma.Predictor is Predictor
    assert Loader.shows.__doc__
