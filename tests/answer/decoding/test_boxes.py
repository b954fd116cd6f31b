"""Overlaps and suppression against loops."""

import numpy as np
import pytest

from modalloy.answer.decoding.boxes import areas, clip_boxes, overlaps, suppress


def draw(rows: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 20, (rows, 2))
    return np.concatenate([corner, corner + rng.uniform(1, 15, (rows, 2))], 1)


def slow_overlap(a: np.ndarray, b: np.ndarray) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (area - width * height)


def test_overlaps_agree_with_a_loop() -> None:
    a, b = draw(9), draw(7, seed=1)
    expected = [[slow_overlap(x, y) for y in b] for x in a]
    assert overlaps(a, b) == pytest.approx(np.array(expected))


def test_overlap_by_hand() -> None:
    a = np.array([[0, 0, 10, 10]])
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [3, 3, 3, 9]])
    assert overlaps(a, b)[0] == pytest.approx([1, 1 / 3, 0, 0])
    assert overlaps(np.zeros((1, 4)), np.zeros((1, 4)))[0, 0] == 0.0  # two boxes of no area
    assert areas(np.array([[4.0, 4, 2, 6]]))[0] == 0.0


def slow_suppress(
    boxes: np.ndarray, scores: np.ndarray, groups: np.ndarray, limit: float
) -> list[int]:
    left = sorted(range(len(boxes)), key=lambda i: (-scores[i], i))
    kept: list[int] = []
    for i in left:
        rivals = [k for k in kept if groups[k] == groups[i]]
        if all(slow_overlap(boxes[i], boxes[k]) <= limit for k in rivals):
            kept.append(i)
    return kept


@pytest.mark.parametrize("seed", range(5))
def test_suppression_agrees_with_a_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes, scores = draw(40, seed), rng.random(40).round(1)  # with ties
    groups = rng.integers(0, 3, 40)
    found = suppress(boxes, scores, groups, 0.4)
    assert found.tolist() == slow_suppress(boxes, scores, groups, 0.4)
    assert 0 < len(found) < 40


def test_suppression_of_nothing() -> None:
    assert len(suppress(np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=int), 0.5)) == 0


def test_boxes_are_cut_to_the_picture() -> None:
    assert clip_boxes(np.array([[-3.0, 2, 30, 40]]), 20, 10).tolist() == [[0, 2, 20, 10]]
