"""Overlaps of boxes and non-maximum suppression, in numpy.

A box is (x1, y1, x2, y2) with x2 > x1 and y2 > y1; its area is (x2 - x1) * (y2 - y1), without the
extra pixel of older tools.
"""

import numpy as np


def overlaps(a_N4: np.ndarray, b_M4: np.ndarray) -> np.ndarray:
    """Intersection over union of every box of one list with every box of another, (N, M)."""
    a, b = np.asarray(a_N4, dtype=np.float64), np.asarray(b_M4, dtype=np.float64)
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = (bottom_right - top_left).clip(0).prod(-1)
    union = areas(a)[:, None] + areas(b)[None] - common
    return np.where(union > 0, common / np.where(union > 0, union, 1.0), 0.0)


def areas(boxes_N4: np.ndarray) -> np.ndarray:
    """Areas, (N,); zero for a box turned inside out."""
    return (boxes_N4[:, 2:] - boxes_N4[:, :2]).clip(0).prod(-1)


def suppress(
    boxes_N4: np.ndarray, scores_N: np.ndarray, groups_N: np.ndarray, limit: float
) -> np.ndarray:
    """Non-maximum suppression: indices of the boxes that stay, best first.

    A box goes when a better one of its own group (its class) overlaps it by more than `limit`.
    Among equal scores the earlier box stays.
    """
    order = np.argsort(-scores_N, kind="stable")
    boxes, groups = boxes_N4[order], groups_N[order]
    rival_NN = (overlaps(boxes, boxes) > limit) & (groups[:, None] == groups[None])
    stays = np.ones(len(order), dtype=bool)
    for i in range(len(order)):
        if stays[i]:
            stays[i + 1 :] &= ~rival_NN[i, i + 1 :]
    return order[stays]


def clip_boxes(boxes_N4: np.ndarray, width: float, height: float) -> np.ndarray:
    """The boxes cut to a picture of this size."""
    return np.clip(boxes_N4, 0.0, np.array([width, height, width, height], dtype=np.float64))
