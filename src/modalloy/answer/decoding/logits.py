"""Logits to probabilities; a row's are the same bits in any company."""

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis, which add up to 1; of the type of the logits."""
    above = np.exp(logits - logits.max(-1, keepdims=True))
    return above / above.sum(-1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """The probability of each logit for itself; of the type of the logits."""
    small = np.exp(-np.abs(logits))  # never above 1, so that nothing overflows
    return np.where(logits >= 0, 1 / (1 + small), small / (1 + small))
