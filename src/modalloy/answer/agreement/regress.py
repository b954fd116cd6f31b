"""Compares answers of `regress`: the number, its quantiles and its interval."""

from typing import Any, ClassVar

import numpy as np

from modalloy.answer.agreement.agreement import Agreement, Compared
from modalloy.answer.answers import Answer


class NumberAgreement(Agreement):
    """The margin is the difference itself, as a share of the target's deviation in training: one
    beyond the bound is never allowed.
    """

    margin: ClassVar[str] = "difference, as a share of the target's deviation"

    def compare(
        self, task: str, options: Any, target: Any, before: Answer, after: Answer
    ) -> Compared:
        """All numbers within a hundredth of the deviation, on the scale that the task learns."""
        del task, options
        unit = float(np.diff(target.to_unit(np.array([0.0, 1.0])))[0])
        far_B = np.zeros(len(before["value"]))
        for key in ("value", "quantiles", "low", "high"):
            if key in before:
                x, y = (np.asarray(a[key], np.float64) for a in (before, after))
                both = np.isinf(x) & (x == y)
                with np.errstate(invalid="ignore"):
                    far = np.where(both, 0.0, np.abs(x - y)) / unit
                far_B = np.maximum(far_B, far.reshape(len(far), -1).max(1, initial=0.0))
        return Compared(far_B <= self.bound, far_B)

    def say(self, options: Any, target: Any, answer: Answer, row: int) -> str:
        """The number with its unit, and the interval."""
        value, *ends = (
            float(target.to_natural(answer[k][row : row + 1])[0])
            for k in ("value", "low", "high")
            if k in answer
        )
        said = f"{value:.6g} {getattr(options, 'unit', None) or ''}".rstrip()
        return f"{said} in {ends[0]:.6g} to {ends[1]:.6g}" if ends else said
