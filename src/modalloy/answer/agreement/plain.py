"""Compares answers of kinds of tasks that do not say when two of theirs are the same decision."""

from typing import Any, ClassVar

import numpy as np

from modalloy.answer.agreement.agreement import Agreement, Compared
from modalloy.answer.answers import Answer


class PlainAgreement(Agreement):
    """Numbers are the same within a hundredth of their deviation among these rows, and anything
    else where it is equal. The margin is the difference; of what is no number it has no end.
    """

    margin: ClassVar[str] = "difference, as a share of the deviation among these rows"

    def compare(
        self, task: str, options: Any, target: Any, before: Answer, after: Answer
    ) -> Compared:
        """Every array of the answer."""
        del task, options, target
        far_B = np.zeros(len(next(iter(before.values()))))
        for key, x in before.items():
            far_B = np.maximum(far_B, apart(np.asarray(x), np.asarray(after[key])))
        return Compared(far_B <= self.bound, far_B)

    def say(self, options: Any, target: Any, answer: Answer, row: int) -> str:
        """What lies in the row's arrays."""
        return ", ".join(f"{key}: {np.asarray(x)[row]}" for key, x in answer.items())


def apart(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How far each row of two arrays is apart, (B,)."""
    if x.dtype.kind not in "fiu":
        same = [np.array_equal(a, b) for a, b in zip(x, y, strict=True)]
        return np.where(same, 0.0, np.inf)
    x, y = x.astype(np.float64), y.astype(np.float64)
    known = x[np.isfinite(x)]
    unit = (float(known.std()) if known.size else 0.0) or 1.0
    with np.errstate(invalid="ignore"):
        far = np.where(x == y, 0.0, np.abs(x - y)) / unit
    return far.reshape(len(x), -1).max(1, initial=0.0)
