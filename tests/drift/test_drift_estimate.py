"""Accuracy and errors without labels, where confidence means what it did."""

import numpy as np
import pytest

from modalloy.drift.estimate import (
    by_threshold,
    by_width,
    estimate_accuracy,
    estimate_error,
)


def answered(draw: np.random.Generator, rows: int, hard: float) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated confidences and what they were worth; `hard` moves rows to unsure answers."""
    sure = 0.5 + 0.5 * draw.beta(4.0, 1.0 + 3.0 * hard, rows)
    return sure, (draw.random(rows) < sure).astype(np.float64)


@pytest.mark.parametrize("hard", [0.0, 0.5, 1.0])
def test_it_is_right_where_hard_rows_are_more(hard: float, draw: np.random.Generator) -> None:
    sure_V, right_V = answered(draw, 2000, 0.2)
    sure_B, right_B = answered(draw, 1500, hard)
    found = estimate_accuracy(sure_V, right_V, sure_B, draw=draw)
    assert found is not None
    assert found.value == pytest.approx(right_B.mean(), abs=0.04)
    assert found.low <= right_B.mean() <= found.high
    assert set(found.ways) == {
        "average confidence",
        "difference of confidences",
        "average thresholded confidence",
    }


def test_the_threshold_passes_as_many_as_are_right() -> None:
    sure = np.arange(100) / 100.0
    right = (np.arange(100) >= 30).astype(np.float64)
    assert by_threshold(sure, right, sure) == pytest.approx(0.7)
    assert by_threshold(sure, right, np.full(10, 0.99)) == pytest.approx(1.0, abs=0.01)


def test_wider_intervals_are_larger_errors(draw: np.random.Generator) -> None:
    width_V = draw.uniform(1.0, 5.0, 1000)
    error_V = np.abs(draw.normal(0.0, width_V))
    width_B = draw.uniform(3.0, 5.0, 800)
    true = np.abs(draw.normal(0.0, width_B)).mean()
    found = estimate_error(width_V, error_V, width_B, draw=draw)
    assert found is not None
    assert found.value == pytest.approx(true, rel=0.1)
    assert found.low <= true <= found.high
    assert by_width(width_V, error_V, width_V) == pytest.approx(error_V.mean(), rel=0.02)


def test_too_few_known_rows_estimate_nothing(draw: np.random.Generator) -> None:
    assert estimate_accuracy(np.ones(5), np.ones(5), np.ones(9), draw=draw) is None
    assert estimate_error(np.arange(50.0), np.ones(50), np.ones(0), draw=draw) is None
    assert estimate_error(np.ones(50), np.ones(50), np.ones(9), draw=draw) is None  # all as wide
