"""A trained run as a surrogate: its answers to designs, with deviations as large as its errors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from modalloy.answer.predictor import Predictor
from modalloy.designing.surrogates.gaussian_process import FEWEST
from modalloy.designing.surrogates.surrogate import Predicted
from modalloy.errors import DesignError
from modalloy.readers.targets.regress import NumberTarget
from modalloy.readers.targets.target import TargetReader

Cells = Callable[[np.ndarray], Mapping[str, Sequence[Any]]]
AT_ONCE = 256  # designs that go through the network together


class Answering(NamedTuple):
    """A run and how it is asked about designs.

    tasks: of numbers, one an output, in their order. cells: of designs, by column; the run reads
    these columns alone, all others are as though missing. times_O, plus_O: what brings its answers
    to the outputs' units.
    """

    predictor: Predictor
    tasks: tuple[str, ...]
    cells: Cells
    times_O: np.ndarray
    plus_O: np.ndarray

    @property
    def sure_O(self) -> np.ndarray:
        """Which outputs have quantiles, so that the run says how sure it is, bool (O,)."""
        return np.array([len(self.levels(task)) > 1 for task in self.tasks])

    def levels(self, task: str) -> tuple[float, ...]:
        """The quantiles that a task answers, none mostly."""
        return getattr(self.predictor.run.job.tasks[task], "quantiles", ())

    def answers(self, u_ND: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the run answers and what its quantiles say of the deviation, (N, O) each; 1 of the
        run's units without quantiles."""
        if not len(u_ND):
            return np.zeros((0, len(self.tasks))), np.ones((0, len(self.tasks)))
        cells = self.cells(u_ND)
        found = self.predictor.answers_alone(cells, inputs=list(cells), batch=AT_ONCE)
        mean, spread = [], []
        for task in self.tasks:
            levels = self.levels(task)
            target = self.predictor.run.targets[task]
            mean.append(natural(target, np.asarray(found[task]["value"], dtype=np.float64)))
            spread.append(np.ones(len(mean[-1])))
            if len(levels) > 1:
                # The slope of quantiles over those of a standard normal distribution.
                z_Q = ndtri(np.array(levels))
                z_Q = z_Q - z_Q.mean()
                said_NQ = np.asarray(found[task]["quantiles"], dtype=np.float64)
                quantiles_NQ = natural(target, said_NQ)
                spread[-1] = np.maximum(quantiles_NQ @ z_Q / (z_Q @ z_Q), 1e-9)
        mean_NO, spread_NO = np.stack(mean, axis=1), np.stack(spread, axis=1)
        return self.times_O * mean_NO + self.plus_O, np.abs(self.times_O) * spread_NO


def natural(target: TargetReader, y: np.ndarray) -> np.ndarray:
    """Numbers of a task in its own unit, where it is learned by its logarithm too."""
    return target.to_natural(y) if isinstance(target, NumberTarget) else y


@dataclass(frozen=True)
class OfRun:
    """A run's numbers as outputs. error_O: what a deviation that its quantiles say is multiplied
    by; where it says none, its error, of the logarithm where that is modelled. log_O: which are
    modelled by their logarithm. least_O: what smaller answers of these count as."""

    answering: Answering
    error_O: np.ndarray
    log_O: np.ndarray
    least_O: np.ndarray

    def predict(self, u_ND: np.ndarray) -> Predicted:
        """The run's answers, and how sure they are."""
        return self.said(*self.answering.answers(u_ND))

    def said(self, mean_NO: np.ndarray, spread_NO: np.ndarray) -> Predicted:
        """Answers as distributions of what is modelled."""
        some_NO = np.maximum(mean_NO, self.least_O)
        relative_NO = np.where(self.answering.sure_O, spread_NO / some_NO, 1.0)
        spread_NO = np.where(self.log_O, relative_NO, spread_NO)
        mean_NO = np.where(self.log_O, np.log(some_NO), mean_NO)
        return Predicted(mean_NO, spread_NO * self.error_O, self.log_O)


def surrogate_of_run(
    answering: Answering, u_ND: np.ndarray, y_NO: np.ndarray
) -> tuple[OfRun, Predicted]:
    """A run as a surrogate, whose deviations are as large as its errors on some rows, and what it
    says of these.

    An output that is positive in all of them is modelled by its logarithm where the rows are then
    likelier: errors are often shares of what is answered.

    u_ND, y_NO: designs that the run has not learned from, and what came out, NaN where it is not
    known. DesignError for too few rows.
    """
    few = int(np.isfinite(y_NO).sum(0).min())
    if few < FEWEST:
        raise DesignError(
            f"{few} rows that the run has not learned from tell its errors; {FEWEST} are needed."
        )
    least_O = np.nanmin(y_NO, axis=0)
    positive_O, told = least_O > 0, answering.answers(u_ND)
    least_O = np.where(positive_O, least_O, 1.0)
    each = [
        fitted(answering, told, y_NO, log, least_O)
        for log in (np.zeros_like(positive_O), positive_O)
    ]
    plain_O, log_O = (np.nanmean(of.said(*told).log_density(y_NO), axis=0) for of in each)
    best = fitted(answering, told, y_NO, positive_O & (log_O > plain_O), least_O)
    return best, best.said(*told)


def fitted(
    answering: Answering,
    told: tuple[np.ndarray, np.ndarray],
    y_NO: np.ndarray,
    log_O: np.ndarray,
    least_O: np.ndarray,
) -> OfRun:
    """A run with its errors on rows. told: what it answers to them."""
    bare = OfRun(answering, np.ones(len(log_O)), log_O, least_O)
    off_NO = bare.said(*told).normalised(y_NO)
    return replace(bare, error_O=np.maximum(np.sqrt(np.nanmean(off_NO**2, axis=0)), 1e-12))
