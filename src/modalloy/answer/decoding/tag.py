"""The best well-formed sequence of tags from each word's logits (Viterbi 1967)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.answer.decoding.logits import softmax
from modalloy.job import config

FORBIDDEN = -1e9  # finite, so that a sum of them stays comparable


def decode(options: config.Tag, target: Any, outputs: Mapping[str, np.ndarray]) -> Answer:
    """`tags`, lists of tags up to the last word read, `word_confidence`, the probability of each,
    and `confidence` (B,).

    outputs: `logits` (B, K, W, C) and `words` (B, W), True where a word was read. No `I-X` comes
    but after `B-X` or `I-X`. A word that was not read (beyond `max_tokens`) is `O`; words beyond
    the last one read are left to whoever knows how many there are. confidence: the mean probability
    of the chosen tags, 1 for a row without words.
    """
    p_BWC, read_BW = softmax(outputs["logits"]).mean(1), outputs["words"]
    outside_C = np.array([n == "O" for n in target.names])
    # A word that was not read has no opinion: it is outside, whatever stands beside it.
    score_BWC = np.where(
        read_BW[..., None], np.log(p_BWC.clip(1e-30)), np.where(outside_C, 0.0, FORBIDDEN)
    )
    best_BW = best_path(score_BWC, *allowed_steps(target.names))
    chosen_BW = np.take_along_axis(p_BWC, best_BW[..., None], 2)[..., 0]
    count_B = read_BW.sum(1)
    sure_B = np.where(count_B, (chosen_BW * read_BW).sum(1) / np.maximum(count_B, 1), 1.0)
    tags, words = (np.empty(len(best_BW), dtype=object) for _ in range(2))
    for i, (best_W, read_W) in enumerate(zip(best_BW, read_BW, strict=True)):
        length = read_W.nonzero()[0].max(initial=-1) + 1
        tags[i] = [target.names[c] for c in best_W[:length]]
        words[i] = np.where(read_W, chosen_BW[i], 0.0)[:length].tolist()
    return {"tags": tags, "word_confidence": words, "confidence": sure_B.astype(np.float32)}


def allowed_steps(names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Which tag may follow which, (C, C) from row to column, and which may come first, (C,)."""
    kinds = [n[2:] if n != "O" else None for n in names]
    inside = [n.startswith("I-") for n in names]
    follows = [[not i or a == b for b, i in zip(kinds, inside, strict=True)] for a in kinds]
    return np.array(follows), ~np.array(inside)


def best_path(score_BWC: np.ndarray, allowed_CC: np.ndarray, first_C: np.ndarray) -> np.ndarray:
    """The allowed sequence of highest total score in each row, (B, W) (Viterbi 1967)."""
    rows, words, classes = score_BWC.shape
    step_CC = np.where(allowed_CC, 0.0, FORBIDDEN)
    total_BC = np.tile(np.where(first_C, 0.0, FORBIDDEN), (rows, 1))
    back_WBC = np.zeros((words, rows, classes), dtype=np.int64)
    for w in range(words):
        if w:
            reach_BCC = total_BC[:, :, None] + step_CC
            back_WBC[w], total_BC = reach_BCC.argmax(1), reach_BCC.max(1)
        total_BC = total_BC + score_BWC[:, w]
    path_BW = np.zeros((rows, words), dtype=np.int64)
    at_B = total_BC.argmax(1)
    for w in range(words - 1, -1, -1):
        path_BW[:, w] = at_B
        at_B = back_WBC[w][np.arange(rows), at_B]
    return path_BW
