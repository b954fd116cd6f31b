"""Exact search by blocks is exact, from a file that is only mapped, and by a graph nearly so."""

from pathlib import Path

import numpy as np
import pytest

from modalloy.retrieval import nearest as module
from modalloy.retrieval.approximate import build, nearest_by_graph
from modalloy.retrieval.index import Index, unit
from modalloy.retrieval.nearest import best, nearest


def matrix(folder: Path, rows: int = 300, size: int = 16) -> np.ndarray:
    """Unit vectors in half precision, mapped from a file."""
    x = unit(np.random.default_rng(1).standard_normal((rows, size)))
    np.save(folder / "x.npy", x.astype(np.float16))
    return np.load(folder / "x.npy", mmap_mode="r")


@pytest.mark.parametrize("queries", [1, 3])
def test_it_is_a_full_sort(tmp_path: Path, queries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 64)  # 300 rows do not fill the last one
    monkeypatch.setattr(module, "MOST_SCORES", 600)  # two queries at a time
    x = matrix(tmp_path)
    q = unit(np.random.default_rng(2).standard_normal((queries, 16)))
    allowed = np.arange(300) % 3 > 0
    slow = q @ x.astype(np.float32).T
    slow[:, ~allowed] = -np.inf
    found = nearest(x, q, 7, allowed_N=allowed)
    for line, rows, scores in zip(slow, found.rows, found.scores, strict=True):
        assert rows.tolist() == np.argsort(-line, kind="stable")[:7].tolist()
        assert scores == pytest.approx(line[rows], abs=1e-6)


def test_equal_scores_keep_the_order_of_rows_and_too_few_leave_room() -> None:
    scores = np.array([[0.5, 0.9, 0.5, -np.inf, 0.5]], dtype=np.float32)
    assert best(scores, 3).rows.tolist() == [[1, 0, 2]]
    assert best(scores, 9).rows.tolist() == [[1, 0, 2, 4, -1]]


def test_a_graph_finds_most_of_the_true_nearest(tmp_path: Path) -> None:
    pytest.importorskip("usearch")
    x = matrix(tmp_path, rows=2000)
    present = np.ones((2000, 1), dtype=bool)
    present[::5] = False
    index = Index(tmp_path, {"note": x}, x, present, np.zeros((2, 16)), True, "")
    q = unit(np.random.default_rng(3).standard_normal((20, 16)))
    true = nearest(x, q, 10, allowed_N=present[:, 0])
    for _ in range(2):  # built, then read again
        found = nearest_by_graph(index, "note", q, 10)
        assert not np.isin(found.rows, np.arange(0, 2000, 5)).any()
        both = [len(set(a) & set(b)) for a, b in zip(true.rows, found.rows, strict=True)]
        assert np.mean(both) > 9
        exact = [x[r].astype(np.float32) @ v for r, v in zip(found.rows[:, 0], q, strict=True)]
        assert found.scores[:, 0] == pytest.approx(exact, abs=1e-3)
    assert (tmp_path / "column0.usearch").is_file()


class Halting:
    """A graph that is stopped while it is written."""

    def add(self, rows: np.ndarray, vectors: np.ndarray) -> None:
        """Nothing."""

    def save(self, path: str) -> None:
        """Half of it."""
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt


def test_half_a_graph_is_never_kept(tmp_path: Path) -> None:
    x = np.ones((3, 2), dtype=np.float16)
    with pytest.raises(KeyboardInterrupt):
        build(Halting(), x, np.ones(3, dtype=bool), tmp_path / "row.usearch")
    assert not list(tmp_path.iterdir())
