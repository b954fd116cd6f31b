"""Texts from the pieces that a decoder has written."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.job import config


def decode(options: config.Generate, target: Any, outputs: Mapping[str, np.ndarray]) -> Answer:
    """`text` object array of texts; `confidence` (B,), the mean probability of their pieces.

    outputs: `ids` (B, L), -1 behind a text; `logp` (B, L), of each piece and of the end behind the
    last one, 0 beyond. Where only some pieces are allowed, probabilities are among these.
    """
    del options
    ids_BL, logp_BL = outputs["ids"], outputs["logp"]
    texts = np.empty(len(ids_BL), dtype=object)
    for i, ids_L in enumerate(ids_BL):
        texts[i] = target.text_of(ids_L[ids_L >= 0])
    length_B = (ids_BL >= 0).sum(1)
    # The end counts as a piece, where there was room for it.
    chosen_BL = np.arange(ids_BL.shape[1]) <= length_B[:, None]
    p_BL = np.where(chosen_BL, np.exp(logp_BL), 0.0)
    confidence_B = p_BL.sum(1) / np.maximum(chosen_BL.sum(1), 1)
    return {"text": texts, "confidence": confidence_B.astype(np.float32)}
