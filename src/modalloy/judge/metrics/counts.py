"""Figures of counts: those of numbers, and how well the whole distribution fits."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.answer.decoding.counts import PERCENTILES
from modalloy.judge.metrics.measure import Measure
from modalloy.judge.metrics.quantities import NumberTally
from modalloy.judge.metrics.tally import ratio


class CountTally(NumberTally):
    """One distribution a row; percentile_BP: its 99 percentiles, zero_B: its chance of zero."""

    def __init__(
        self,
        truth: Sequence[float | None],
        answer: Mapping[str, np.ndarray],
        levels_Q: Sequence[float] = (),
    ) -> None:
        super().__init__(truth, answer["value"], answer.get("quantiles"), levels_Q)
        self.percentile_NP = np.asarray(answer["percentiles"], dtype=np.float64)[self.rows]
        self.zero_N = np.asarray(answer["zero"], dtype=np.float64)[self.rows]

    def figures(self, weight_NR: np.ndarray) -> dict[str, np.ndarray]:
        """Those of `NumberTally`; crps: twice the mean pinball loss of the percentiles, which
        tends to the continuous ranked probability score (Gneiting & Raftery 2007); crps_skill: the
        share of it saved beside answering the distribution of these rows' truth; zero_brier: mean
        squared error of the chance of zero.
        """
        total_R = weight_NR.sum(0)
        above_NP = self.true_N[:, None] - self.percentile_NP
        lost_N = 2.0 * np.maximum(PERCENTILES * above_NP, (PERCENTILES - 1) * above_NP).mean(1)
        crps_R = lost_N @ weight_NR / total_R
        brier_N = (self.zero_N - (self.true_N == 0)) ** 2
        return {
            **super().figures(weight_NR),
            "crps": crps_R,
            "crps_skill": 1.0 - ratio(crps_R, spread_of(self.true_N, weight_NR)),
            "zero_brier": brier_N @ weight_NR / total_R,
        }


def spread_of(true_N: np.ndarray, weight_NR: np.ndarray) -> np.ndarray:
    """Half the mean difference of two rows, (R,): the score of the rows' own distribution."""
    order_N = np.argsort(true_N, kind="stable")
    step_N = np.diff(true_N[order_N])
    up_to_NR = weight_NR[order_N].cumsum(0)
    total_R = up_to_NR[-1]
    return step_N @ (up_to_NR[:-1] * (total_R - up_to_NR[:-1])) / total_R**2


class CountMeasure(Measure):
    """Figures of counts."""

    def tally(
        self,
        options: Any,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
    ) -> CountTally:
        """Of the distributions and of the quantiles asked for."""
        del names
        return CountTally(truth, answer, options.quantiles)

    def primary(self, options: Any) -> tuple[str, bool]:
        """The root of the mean square error, by which simple methods can be compared too."""
        del options
        return "rmse", False

    def skill(self, options: Any, classes: int) -> list[str]:
        """The share of the ranked probability score saved."""
        del options, classes
        return ["crps_skill"]
