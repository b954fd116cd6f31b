"""Class probabilities from logits: of one class a row, or of any number of labels."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.answer.decoding.logits import sigmoid, softmax
from modalloy.job import config


def decode(options: config.Classify, target: Any, outputs: Mapping[str, np.ndarray]) -> Answer:
    """`probability`, (B, C), from `logits` (B, K, C): members' probabilities averaged."""
    logits_BKC = outputs["logits"]
    p_BKC = sigmoid(logits_BKC) if options.labels == "multi" else softmax(logits_BKC)
    return {"probability": p_BKC.mean(1)}
