"""A trained run as a surrogate: its answers to designs with all that the model reads, drawings and
texts too."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from modalloy.answer.predictor import Predictor
from modalloy.designing.surrogates.gaussian_process import FEWEST
from modalloy.designing.surrogates.surrogate import Predicted
from modalloy.errors import DesignError

Cells = Callable[[np.ndarray], Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class OfRun:
    """A run's numbers as outputs.

    tasks: one an output, in their order. cells: the cells of designs, one mapping a row. error_O:
    what a deviation that the run's quantiles say is multiplied by, or where it says none, the
    deviation itself.
    """

    predictor: Predictor
    tasks: tuple[str, ...]
    cells: Cells
    error_O: np.ndarray

    @property
    def log_O(self) -> np.ndarray:
        """None is modelled by its logarithm: answers are in their units."""
        return np.zeros(len(self.tasks), dtype=bool)

    def predict(self, u_ND: np.ndarray) -> Predicted:
        """The run's answers, and how sure they are."""
        mean_NO, spread_NO = answered(self.predictor, self.tasks, self.cells(u_ND))
        return Predicted(mean_NO, spread_NO * self.error_O, self.log_O)


def surrogate_of_run(
    predictor: Predictor,
    tasks: Sequence[str],
    cells: Cells,
    u_ND: np.ndarray,
    y_NO: np.ndarray,
) -> OfRun:
    """A run as a surrogate, whose deviations are as large as its errors on some rows.

    tasks: of numbers. u_ND, y_NO: designs that the run has not learned from, and what came out,
    NaN where a run failed. DesignError for a task that is none of numbers, and for too few rows.
    """
    kinds = {name: options.type for name, options in predictor.run.job.tasks.items()}
    for task in tasks:
        if kinds.get(task) != "regress":
            numbers = ", ".join(name for name, kind in kinds.items() if kind == "regress")
            raise DesignError(
                f"'{task}' is no task of numbers of this run; it has {numbers or 'none'}."
            )
    mean_NO, spread_NO = answered(predictor, tasks, cells(u_ND))
    off_NO = (y_NO - mean_NO) / spread_NO
    few = int(np.isfinite(off_NO).sum(0).min())
    if few < FEWEST:
        raise DesignError(
            f"{few} rows that the run has not learned from tell its errors; {FEWEST} are needed."
        )
    error_O = np.sqrt(np.nanmean(off_NO**2, axis=0))
    return OfRun(predictor, tuple(tasks), cells, np.maximum(error_O, 1e-12))


def answered(
    predictor: Predictor, tasks: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> tuple[np.ndarray, np.ndarray]:
    """Answers and what their quantiles say of the deviation, (N, O) each; 1 without quantiles."""
    found = predictor.answers(list(rows))
    mean, spread = [], []
    for task in tasks:
        levels = getattr(predictor.run.job.tasks[task], "quantiles", ())
        mean.append(np.asarray(found[task]["value"], dtype=np.float64))
        spread.append(np.ones(len(mean[-1])))
        if len(levels) > 1:
            # The slope of quantiles over those of a standard normal distribution.
            z_Q = ndtri(np.array(levels))
            z_Q = z_Q - z_Q.mean()
            quantiles_NQ = np.asarray(found[task]["quantiles"], dtype=np.float64)
            spread[-1] = np.maximum(quantiles_NQ @ z_Q / (z_Q @ z_Q), 1e-9)
    return np.stack(mean, axis=1), np.stack(spread, axis=1)
