"""Named boxes in pixels from a heat map a class and the sides at each cell (Zhou et al. 2019,
CenterNet, 1904.07850).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.answer.decoding.boxes import areas, clip_boxes, suppress
from modalloy.answer.decoding.logits import sigmoid
from modalloy.job import config

OVERLAP_LIMIT = 0.5  # of two boxes of one class that overlap more, the better one stays
LEAST_SCORE = 0.01


def decode(options: config.Locate, target: Any, outputs: Mapping[str, np.ndarray]) -> Answer:
    """`boxes`, `scores`, `names`, best first, at most `max_boxes`; none without the picture.

    outputs: `heat` (B, C, H, W), logits; `sides` (B, 4, H, W), cells; `seen` (B,); `size` (B, 2),
    pixels.
    """
    heat_BCHW = sigmoid(outputs["heat"])
    seen_B, most = outputs["seen"], options.max_boxes
    answer = {k: np.empty(len(seen_B), dtype=object) for k in ("boxes", "scores", "names")}
    for i, (seen, size_2) in enumerate(zip(seen_B, outputs["size"], strict=True)):
        scores, classes, cells = peaks(heat_BCHW[i], 2 * most)
        boxes = clip_boxes(boxes_at(outputs["sides"][i], cells, size_2), *size_2)
        fine = seen & (areas(boxes) > 0)
        boxes, scores, classes = boxes[fine], scores[fine], classes[fine]
        stay = suppress(boxes, scores, classes, OVERLAP_LIMIT)[:most]
        answer["boxes"][i], answer["scores"][i] = boxes[stay], scores[stay]
        answer["names"][i] = [target.names[c] for c in classes[stay]]
    return answer


def peaks(heat_CHW: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The highest cells among their eight neighbours: heat, class and flat cell, each (n,).

    Best first, at most so many, none below LEAST_SCORE; among equals the earlier cell comes first.
    """
    walled = np.pad(heat_CHW, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    across = np.maximum(np.maximum(walled[:, :, :-2], walled[:, :, 1:-1]), walled[:, :, 2:])
    around = np.maximum(np.maximum(across[:, :-2], across[:, 1:-1]), across[:, 2:])
    high_N = np.flatnonzero((heat_CHW == around) & (heat_CHW >= LEAST_SCORE))
    heat_N = heat_CHW.reshape(-1)[high_N]
    order = np.argsort(-heat_N, kind="stable")[:most]
    cells = heat_CHW.shape[1] * heat_CHW.shape[2]
    return heat_N[order], high_N[order] // cells, high_N[order] % cells


def boxes_at(sides_4HW: np.ndarray, cell_N: np.ndarray, size_2: np.ndarray) -> np.ndarray:
    """Boxes in pixels of a picture, (N, 4), from how far their sides are from cells' middles."""
    height, width = sides_4HW.shape[1:]
    sides_N4 = sides_4HW.reshape(4, -1)[:, cell_N].T
    middle_N2 = np.stack([cell_N % width, cell_N // width], -1).astype(sides_N4.dtype) + 0.5
    boxes_N4 = np.concatenate([middle_N2 - sides_N4[:, :2], middle_N2 + sides_N4[:, 2:]], -1)
    share_4 = np.array([width, height, width, height], dtype=sides_N4.dtype)
    return boxes_N4 / share_4 * np.tile(size_2, 2)
