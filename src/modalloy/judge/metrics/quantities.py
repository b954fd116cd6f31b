"""Figures of regression, on the scale that the task learns."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.job import config
from modalloy.judge.metrics.measure import Measure
from modalloy.judge.metrics.tally import Tally, ratio
from modalloy.readers.number import from_log

LARGEST_SQUARED = 1e150  # whose square is still a float


def stated_coverage(levels: Sequence[float]) -> float:
    """The share of rows that quantiles of these levels promise to cover; see `NumberTally`."""
    return levels[0] if len(levels) == 1 else max(levels) - min(levels)


class NumberTally(Tally):
    """One number a row; truth is None (or NaN) where unknown.

    quantile_BQ: answered quantiles, levels_Q: their levels. log: truth and answers are `to_log` of
    what the column holds.
    """

    def __init__(
        self,
        truth: Sequence[float | None],
        value_B: np.ndarray,
        quantile_BQ: np.ndarray | None = None,
        levels_Q: Sequence[float] = (),
        *,
        log: bool = False,
    ) -> None:
        self.log = log
        every_B = np.array([np.nan if t is None else float(t) for t in truth])
        self.rows = np.flatnonzero(np.isfinite(every_B))
        self.true_N = every_B[self.rows]
        self.value_N = np.asarray(value_B, dtype=np.float64)[self.rows]
        self.levels_Q = np.asarray(levels_Q, dtype=np.float64)
        self.quantile_NQ: np.ndarray | None = None
        if len(self.levels_Q):
            assert quantile_BQ is not None, "the answer lacks its quantiles"
            self.quantile_NQ = np.asarray(quantile_BQ, dtype=np.float64)[self.rows]

    def figures(self, weight_NR: np.ndarray) -> dict[str, np.ndarray]:
        """mae, rmse, r2; with quantiles also pinball (mean over them) and coverage; of logarithms
        also mae_unit, the mean absolute error of the numbers themselves.

        coverage is the share of rows between the lowest and the highest quantile; of rows at or
        below it when there is but one. r2 is undefined where the truth does not vary.
        """
        total_R = weight_NR.sum(0)
        unit = self._unit()
        error_N = self.value_N / unit - self.true_N / unit
        squares_R = error_N**2 @ weight_NR
        # Taken from the middle first, so that a large offset does not eat the digits of the spread.
        centred_N = self.true_N / unit - (self.true_N / unit).mean()
        spread_R = centred_N**2 @ weight_NR - (centred_N @ weight_NR) ** 2 / total_R
        scale = np.abs(centred_N).max(initial=0.0) ** 2
        spread_R = np.where(spread_R > 1e-12 * scale * total_R, spread_R, 0.0)
        found = {
            "mae": np.abs(error_N) @ weight_NR / total_R * unit,
            "rmse": np.sqrt(squares_R / total_R) * unit,
            "r2": 1.0 - ratio(squares_R, spread_R),
        }
        if self.log:
            with np.errstate(invalid="ignore"):  # an answer may be too large for a float
                apart_N = np.abs(from_log(self.value_N) - from_log(self.true_N))
                found["mae_unit"] = apart_N @ weight_NR / total_R
        if self.quantile_NQ is not None:
            found["pinball"] = self._pinball(self.quantile_NQ) @ weight_NR / total_R
            found["coverage"] = self._inside(self.quantile_NQ) @ weight_NR / total_R
        return found

    def _unit(self) -> float:
        """What numbers are counted in: 1, unless the square of one of them is too large a float."""
        largest = max(np.abs(self.true_N).max(initial=0.0), np.abs(self.value_N).max(initial=0.0))
        return float(largest) if np.isfinite(largest) and largest > LARGEST_SQUARED else 1.0

    def _pinball(self, quantile_NQ: np.ndarray) -> np.ndarray:
        above_NQ = self.true_N[:, None] - quantile_NQ
        return np.maximum(self.levels_Q * above_NQ, (self.levels_Q - 1) * above_NQ).mean(1)

    def _inside(self, quantile_NQ: np.ndarray) -> np.ndarray:
        below_N = self.true_N <= quantile_NQ[:, self.levels_Q.argmax()]
        if len(self.levels_Q) == 1:
            return below_N.astype(np.float64)
        return (below_N & (self.true_N >= quantile_NQ[:, self.levels_Q.argmin()])).astype(float)


class NumberMeasure(Measure):
    """Figures of numbers."""

    def tally(
        self,
        options: config.Regress,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
    ) -> NumberTally:
        """Of the answers and of the quantiles asked for."""
        del names
        quantiles, log = answer.get("quantiles"), options.scale == "log"
        return NumberTally(truth, answer["value"], quantiles, options.quantiles, log=log)

    def primary(self, options: config.Regress) -> tuple[str, bool]:
        """The root of the mean square error."""
        del options
        return "rmse", False

    def skill(self, options: config.Regress, classes: int) -> list[str]:
        """The share of the variation explained."""
        del options, classes
        return ["r2"]
