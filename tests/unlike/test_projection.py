import numpy as np
import pytest

from modalloy.unlike.projection import KEPT, projected


def test_it_keeps_how_far_apart_rows_are(draw: np.random.Generator) -> None:
    x = draw.normal(0, 1, (40, 1000))
    z = projected(x)
    assert z.shape == (40, KEPT)
    for a, b in ((0, 1), (2, 30), (7, 39)):
        before, after = np.linalg.norm(x[a] - x[b]), np.linalg.norm(z[a] - z[b])
        assert after == pytest.approx(before, rel=0.3)


def test_no_direction_is_lost(draw: np.random.Generator) -> None:
    for at in draw.integers(0, 1000, 20):
        assert np.linalg.norm(projected(np.eye(1000)[at : at + 1])) == pytest.approx(1.0)


def test_a_row_alone_is_the_row_in_company_and_nan_stays(draw: np.random.Generator) -> None:
    x = draw.normal(0, 1, (9, 300))
    x[4, 7] = np.nan
    z = projected(x)
    assert np.isnan(z[4]).all()
    for row in range(9):
        assert np.array_equal(projected(x[row : row + 1])[0], z[row], equal_nan=True)


def test_few_numbers_stay_as_they_are(draw: np.random.Generator) -> None:
    x = draw.normal(0, 1, (5, KEPT)).astype(np.float32)
    assert np.array_equal(projected(x), x)


def test_the_signs_never_change() -> None:
    first = projected(np.eye(200)[:1])[0] * np.sqrt(KEPT)
    assert first[:12].tolist() == pytest.approx(SIGNS)


SIGNS = [-1, 1, 1, -1, 1, 1, 1, 1, 1, 1, 1, -1]  # of the first number, as RandomState(0) has them
