"""Short vectors find what long ones do, beside a search that compares all with all."""

import numpy as np
import pytest

from modalloy.errors import TableError
from modalloy.retrieval.shortened import leading, lengths, shorten


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def clouds(*, turned: bool, rows: int = 400, size: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose spread falls from number to number; turned at random, no number leads."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(rows + 60, size)) * 0.8 ** np.arange(size)
    if turned:
        x = x @ np.linalg.qr(draw.normal(size=(size, size)))[0]
    return unit(x[:rows]), unit(x[rows:])


def slow_overlap(rows: np.ndarray, queries: np.ndarray, matrix: np.ndarray, top: int) -> float:
    same = 0
    for query in queries:
        far = sorted(range(len(rows)), key=lambda i: -float(rows[i] @ query))[:top]
        short = [r @ matrix / np.linalg.norm(r @ matrix) for r in rows]
        asked = query @ matrix
        near = sorted(range(len(rows)), key=lambda i: -float(short[i] @ asked))[:top]
        same += len({*far} & {*near})
    return same / (top * len(queries))


def test_beside_brute_force() -> None:
    rows, queries = clouds(turned=True)
    cut = shorten(rows, queries, 0.8)
    assert cut.rotated
    assert cut.length < 30
    assert cut.overlap >= 0.8
    assert cut.overlap == pytest.approx(slow_overlap(rows, queries, cut.rotation_SL, 10), abs=0.01)
    tried = list(lengths(48))
    before = tried[tried.index(cut.length) - 1]
    shorter = leading(rows)[:, :before]
    assert slow_overlap(rows, queries, shorter, 10) < 0.8
    small = cut.shorten(rows)
    assert small.shape == (400, cut.length)
    np.testing.assert_allclose(np.linalg.norm(small, axis=1), 1.0, atol=1e-5)
    assert cut.longer().length == tried[tried.index(cut.length) + 1]
    assert cut._replace(length=48).longer().length == 48


def test_leading_numbers_are_left_as_they_are() -> None:
    rows, queries = clouds(turned=False)
    cut = shorten(rows, queries, 0.8)
    assert not cut.rotated
    np.testing.assert_array_equal(cut.rotation_SL, np.eye(48)[:, : cut.length])
    assert shorten(rows, queries, 0.5).length < cut.length < shorten(rows, queries, 0.99).length
    assert shorten(rows, queries, 0.8, top=1).overlap != cut.overlap


def test_all_numbers_are_the_same_similarities() -> None:
    rows, queries = clouds(turned=True)
    turned = leading(rows)
    np.testing.assert_allclose(turned.T @ turned, np.eye(48), atol=1e-5)
    np.testing.assert_allclose(rows @ turned @ (queries @ turned).T, rows @ queries.T, atol=1e-5)
    whole = shorten(rows, queries, 1.0)
    assert whole.overlap == pytest.approx(1.0, abs=1e-3)


def test_refusals() -> None:
    rows, queries = clouds(turned=True)
    with pytest.raises(TableError, match="share 0 is not above 0"):
        shorten(rows, queries, 0.0)
    with pytest.raises(TableError, match="9 rows and 60 queries cannot say which 10 rows"):
        shorten(rows[:9], queries, 0.9)
