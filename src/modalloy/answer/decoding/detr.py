"""Named boxes in pixels from a set of queries, of which each says one box or nothing (Carion et al.
2020, DETR, 2005.12872).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.answer.decoding.boxes import areas, clip_boxes
from modalloy.answer.decoding.locate import LEAST_SCORE
from modalloy.answer.decoding.logits import softmax
from modalloy.job import config


def decode(options: config.Locate, target: Any, outputs: Mapping[str, np.ndarray]) -> Answer:
    """`boxes`, `scores`, `names`, best first, at most `max_boxes`; none without the picture.

    outputs: `logits` (B, Q, C + 1), the last class being nothing; `boxes` (B, Q, 4), middle and
    size as shares of the picture; `seen` (B,); `size` (B, 2), pixels.
    """
    p_BQC = softmax(outputs["logits"])[:, :, :-1]
    seen_B = outputs["seen"]
    answer = {k: np.empty(len(seen_B), dtype=object) for k in ("boxes", "scores", "names")}
    for i, (seen, size_2) in enumerate(zip(seen_B, outputs["size"], strict=True)):
        classes_Q, score_Q = p_BQC[i].argmax(-1), p_BQC[i].max(-1)
        boxes_Q4 = clip_boxes(in_pixels(outputs["boxes"][i], size_2), *size_2)
        fine_Q = seen & (areas(boxes_Q4) > 0) & (score_Q >= LEAST_SCORE)
        order = np.argsort(-score_Q, kind="stable")
        stay = order[fine_Q[order]][: options.max_boxes]
        answer["boxes"][i], answer["scores"][i] = boxes_Q4[stay], score_Q[stay]
        answer["names"][i] = [target.names[c] for c in classes_Q[stay]]
    return answer


def in_pixels(boxes_Q4: np.ndarray, size_2: np.ndarray) -> np.ndarray:
    """Corners in pixels of boxes by middle and size."""
    middle, half = boxes_Q4[..., :2], boxes_Q4[..., 2:] / 2
    return np.concatenate([middle - half, middle + half], -1) * np.tile(size_2, 2)
