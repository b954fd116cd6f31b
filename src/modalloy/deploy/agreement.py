"""Whether two networks decide alike, row by row and for each kind of task."""

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.job import config

NEAR = 0.01  # of the spread of a number's answers


def same_decisions(options: config.TaskOptions, one: Answer, other: Answer) -> np.ndarray:
    """Which rows are decided alike, (B,): the same class or labels; a number to a hundredth of how
    far answers are spread; the same tags, boxes' names and texts.
    """
    if "probability" in one:
        a_BC, b_BC = np.asarray(one["probability"]), np.asarray(other["probability"])
        if getattr(options, "several", False):
            return ((a_BC >= 0.5) == (b_BC >= 0.5)).all(1)
        return a_BC.argmax(1) == b_BC.argmax(1)
    if "value" in one:
        a_B, b_B = np.asarray(one["value"]), np.asarray(other["value"])
        return np.abs(a_B - b_B) <= NEAR * (np.std(a_B) + 1e-12)
    key = next(k for k in ("tags", "names", "text") if k in one)
    return np.array([list(a) == list(b) for a, b in zip(one[key], other[key], strict=True)])
