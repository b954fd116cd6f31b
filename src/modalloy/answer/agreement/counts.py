"""Compares answers of counts: their means, their distributions and their intervals."""

from typing import Any

import numpy as np

from modalloy.answer.agreement.agreement import Compared
from modalloy.answer.agreement.regress import NumberAgreement
from modalloy.answer.answers import Answer


class CountAgreement(NumberAgreement):
    """As of numbers. Single quantiles are whole and may turn on a rounding, so that of the
    distribution the mean of all percentiles is compared.
    """

    def compare(
        self, task: str, options: Any, target: Any, before: Answer, after: Answer
    ) -> Compared:
        """Means, chances of zero and distributions within a hundredth."""
        plain = super().compare(task, options, target, *map(without_whole, (before, after)))
        unit = float(np.diff(target.to_unit(np.array([0.0, 1.0])))[0])
        x_B, y_B = (np.asarray(a["percentiles"], np.float64).mean(1) for a in (before, after))
        far_B = np.maximum(plain.margin_B, np.abs(x_B - y_B) / unit)
        far_B = np.maximum(far_B, np.abs(np.asarray(before["zero"]) - np.asarray(after["zero"])))
        return Compared(far_B <= self.bound, far_B)


def without_whole(answer: Answer) -> Answer:
    """An answer without its single quantiles."""
    return {key: x for key, x in answer.items() if key != "quantiles"}
