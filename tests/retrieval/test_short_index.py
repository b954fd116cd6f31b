"""An index of fewer numbers a row: what it keeps is what a search of all numbers says it keeps."""

from pathlib import Path

import numpy as np
import pytest

import modalloy as ma
from conftest import make_job, write_table
from modalloy.job.job_file import load_job
from modalloy.retrieval.index import ROW, Index
from modalloy.retrieval.searcher import Searcher
from modalloy.retrieval.short_index import Short, shorten_index
from modalloy.runs.run import Run
from untrained import untrained


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run over numbers, a name and notes."""
    folder = tmp_path_factory.mktemp("short")
    table = write_table(folder, rows=120)
    tasks = {"fault": {"type": "classify", "target": "fault_code"}}
    job = make_job(table, columns=("load", "site", "note"), tasks=tasks)
    return untrained(folder / "run", table, job=load_job(job), steps=10)


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def nearest(matrix: np.ndarray, query: np.ndarray, able: np.ndarray, skip: int | None) -> set[int]:
    """The ten nearest rows, one by one."""
    rows = [i for i in np.flatnonzero(able) if i != skip]
    return set(sorted(rows, key=lambda i: -float(matrix[i] @ query))[:10])


@pytest.mark.parametrize("share", [0.6, 0.9])
def test_every_kind_of_search_keeps_its_share_beside_one_row_after_the_other(
    tmp_path: Path, share: float
) -> None:
    draw = np.random.default_rng(0)
    turn = np.linalg.qr(draw.normal(size=(32, 32)))[0]
    base = draw.normal(size=(90, 32)) * 0.85 ** np.arange(32)
    whole = unit(base @ turn)
    note = unit(base @ turn + 0.05 * draw.normal(size=base.shape))
    have = {"column0.npy": np.arange(90) % 5 > 0, ROW: np.ones(90, bool)}
    note[~have["column0.npy"]] = 0.0
    matrices = {"column0.npy": note, ROW: whole}
    told, size = shorten_index(tmp_path, matrices, have, share, whole=ROW)
    rotation = np.load(tmp_path / "rotation.npy")
    assert rotation.shape == (32, size)
    assert size < told.before == 32
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*matrices, "rotation.npy"])
    short = {n: np.load(tmp_path / n).astype(np.float32) for n in matrices}
    np.testing.assert_allclose(short[ROW], unit(whole @ rotation), atol=2e-3)
    assert not short["column0.npy"][~have["column0.npy"]].any()
    least = 1.0
    for asked, among in (("column0.npy",) * 2, (ROW, ROW), ("column0.npy", ROW)):
        rows = np.flatnonzero(have[asked])
        same = [
            len(
                nearest(matrices[among], matrices[asked][i], have[among], own)
                & nearest(short[among], short[asked][i], have[among], own)
            )
            for i in rows
            for own in [i if asked == among else None]
        ]
        least = min(least, np.mean(same) / 10)
    assert told.kept == pytest.approx(least, abs=0.01)
    assert told.kept >= share


def test_shorter_vectors_say_what_they_keep(run: Run, tmp_path: Path) -> None:
    whole = Searcher(run, folder=tmp_path / "whole")
    short = Searcher(run, folder=tmp_path / "short", shorten=0.8)
    told, size = short.index.short, short.index.row.shape[1]
    assert told is not None
    assert size < told.before == whole.index.row.shape[1]
    found = short.search(row=4, top=3)
    assert any(n == told.text(size) and f"{told.kept:.1%}" in n for n in found.notes)
    assert not any("numbers a row" in n for n in whole.search(row=4, top=3).notes)
    text = "crack near the weld 8"
    assert short.cell_vectors("note", [text]).shape == (1, size)
    assert len(short.search(text=text, top=3)) == 3


def test_an_index_stays_short_until_it_is_built_anew(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "index"
    built = Searcher(run, folder=place, shorten=0.5)
    size = built.index.row.shape[1]
    assert Searcher(run, folder=place).index.short == built.index.short
    longer = Searcher(run, folder=place, shorten=0.99)
    assert longer.index.short is not None
    assert longer.index.short.share == 0.99
    assert longer.index.row.shape[1] > size
    again = Searcher(run, folder=place, rebuild=True)
    assert again.index.short is None
    assert not (place / "rotation.npy").exists()


def test_a_short_index_that_lost_its_rotation_is_damaged(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "index"
    Searcher(run, folder=place, shorten=0.5)
    (place / "rotation.npy").unlink()
    with pytest.raises(ma.RunError, match="the index is damaged; add --rebuild"):
        Searcher(run, folder=place)


@pytest.mark.parametrize("share", [0.0, 1.2, -1.0])
def test_a_share_that_there_is_none_of_is_refused(run: Run, share: float) -> None:
    with pytest.raises(ma.TableError, match="no share of the nearest rows to keep"):
        Searcher(run, shorten=share)


def test_queries_are_shortened_as_rows_are() -> None:
    x_BS, turn_SL = np.random.default_rng(0).normal(size=(5, 8)), np.eye(8, 3)
    rows = np.zeros((5, 3))
    given = (Path(), {}, rows, rows, np.zeros((1, 8)), True, "t")
    index = Index(*given, turn_SL, Short(0.9, 0.9, 5, 8))
    np.testing.assert_allclose(index.placed(None, x_BS), unit(x_BS[:, :3]), atol=1e-6)
