"""Which boxes of a picture are worth drawing: its mistakes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.judge.metrics.detection import as_boxes, match_picture

SHOWN_SCORE = 0.3  # answers below it count neither as mistakes nor as finds

Box = tuple[Sequence[float], str]  # x1 y1 x2 y2 in pixels of the original picture, and its name


def box_mistakes(truth: Mapping[str, Any], answer: Mapping[str, np.ndarray], row: int) -> int:
    """True boxes without an answer plus answers without a true box, at half overlap."""
    goal, names = as_boxes(truth["boxes"], truth["names"])
    _, found, found_names = sure_boxes(answer, row)
    mistakes = 0
    for name in {*names, *found_names}:
        true = goal[[n == name for n in names]]
        mine = found[[n == name for n in found_names]]
        mistakes += len(true) + len(mine) - 2 * int(match_picture(mine, true)[0].sum())
    return mistakes


def true_boxes(truth: Mapping[str, Any]) -> list[Box]:
    """Boxes with their names."""
    boxes, names = as_boxes(truth["boxes"], truth["names"])
    return [(b.tolist(), n) for b, n in zip(boxes, names, strict=True)]


def found_boxes(answer: Mapping[str, np.ndarray], row: int) -> list[Box]:
    """Answered boxes worth showing, best first, named with their score."""
    order, boxes, names = sure_boxes(answer, row)
    scores = answer["scores"][row]
    return [
        (b.tolist(), f"{n} {scores[i]:.2f}") for i, b, n in zip(order, boxes, names, strict=True)
    ]


def sure_boxes(
    answer: Mapping[str, np.ndarray], row: int
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Positions, boxes (n, 4) and names of a row's answers that pass SHOWN_SCORE, best first."""
    boxes, names = as_boxes(answer["boxes"][row], answer["names"][row])
    scores = np.asarray(answer["scores"][row], dtype=float)
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] >= SHOWN_SCORE]
    return order, boxes[order], [names[i] for i in order]
