"""Answers straight into a file: whatever the size of its blocks, the file of all rows together."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from golden_rows import BUNDLE, golden_rows
from modalloy.answer.answer_file import AnswerFile, write_frame
from modalloy.answer.predictor import Predictor
from modalloy.answer.written import write_answers
from modalloy.errors import RunError, TableError


@pytest.fixture(scope="module")
def asked() -> Predictor:
    """The golden bundle."""
    return Predictor(BUNDLE)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Its table, some cells of which are no number."""
    frame = golden_rows()
    frame["load"] = frame["load"].astype(str).where(frame.index % 9 != 4, "broken")
    return frame


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_blocks_make_the_file_of_all_rows(
    asked: Predictor, rows: pd.DataFrame, tmp_path: Path, ending: str
) -> None:
    whole = asked.frame(rows)
    expected, got = tmp_path / f"whole.{ending}", tmp_path / f"blocks.{ending}"
    for at_once in (16, 64, 1000):
        write_frame(whole, expected, rows=at_once)
        told = write_answers(asked, rows, got, at_once=at_once)
        assert got.read_bytes() == expected.read_bytes()
        assert told.attrs == whole.attrs
        assert told.rows == 48
    assert any("5 of 48 cells cannot be read" in c for c in told.caveats)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([expected.name, got.name])


def test_odd_blocks_hold_the_same_answers(
    asked: Predictor, rows: pd.DataFrame, tmp_path: Path
) -> None:
    write_answers(asked, rows, tmp_path / "a.parquet", at_once=7, part=slice(3, 47))
    got, whole = pd.read_parquet(tmp_path / "a.parquet"), asked.frame(rows, part=slice(3, 47))
    # A product of few rows is summed in another order than one of many.
    pd.testing.assert_frame_equal(got, whole, rtol=1e-5, atol=1e-6)
    assert got.attrs == whole.attrs
    assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups == 7


def test_no_row_gives_a_file_of_names(asked: Predictor, rows: pd.DataFrame, tmp_path: Path) -> None:
    told = write_answers(asked, rows, tmp_path / "a.csv", part=slice(0, 0))
    assert told.rows == 0
    found = pd.read_csv(tmp_path / "a.csv")
    assert len(found) == 0
    assert list(found.columns) == list(asked.frame(rows).columns)


def test_types_that_show_late_hold_for_all_blocks(tmp_path: Path) -> None:
    """Columns that are empty at first become what they turn out to be."""
    frame = pd.DataFrame(
        {
            "a": [None, None, "x"],
            "b": [[], [], ["tag"]],
            "c": [[], [[0.5, 1.0]], []],
            "d": [None] * 3,
        }
    )
    with AnswerFile(tmp_path / "a.parquet") as file:
        for at in range(3):
            file.write(frame.iloc[at : at + 1])
        file.finish({"caveats": ["one"]})
    frame.to_parquet(tmp_path / "b.parquet")
    a, b = pq.read_table(tmp_path / "a.parquet"), pq.read_table(tmp_path / "b.parquet")
    assert a.to_pylist() == b.to_pylist()
    assert [str(t) for t in a.schema.types] == [str(t) for t in b.schema.types]
    assert pd.read_parquet(tmp_path / "a.parquet").attrs == {"caveats": ["one"]}


def test_what_stops_it_leaves_the_older_file(
    asked: Predictor, rows: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    said = asked.say

    def broken(loader: object, which: np.ndarray, **given: object) -> object:
        if which[0]:
            raise RunError("the machine stops here.")
        return said(loader, which, **given)

    monkeypatch.setattr(asked, "say", broken)
    with pytest.raises(RunError, match="stops here"):
        write_answers(asked, rows, path, at_once=16)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]
    with pytest.raises(TableError, match="there is no folder"):
        write_answers(asked, rows, tmp_path / "none" / "a.csv")


def test_lists_after_empty_cells_are_json(tmp_path: Path) -> None:
    """A block may start with a row without an answer, or hold no other."""
    cells = [None, ["crack"], None, None, ["dirt", "crack"], []]
    frame = pd.DataFrame({"kinds": cells, "n": range(6)})
    write_frame(frame, tmp_path / "a.csv", rows=2)
    found = pd.read_csv(tmp_path / "a.csv", keep_default_na=False)["kinds"].tolist()
    assert found == ["", '["crack"]', "", "", '["dirt", "crack"]', "[]"]
