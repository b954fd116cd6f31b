"""Convex weights of several answers to the same rows, fitted on rows that none has learned from.

Stacking (Wolpert 1992) with weights that are at least 0 and add up to 1 (Breiman 1996, Stacked
regressions). Ours are held back towards weights that are given, as much as `PRIOR_ROWS` rows would:
on few rows an even mean is hard to beat, whatever they say of single answers. Weights below a least
one are dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, assert_never

import numpy as np

DOUBT = 0.02  # share of each probability given away, so that one row cannot decide alone
PRIOR_ROWS = 30.0  # as many rows speak for the weights before any row is seen
LASTING = 0.05  # of that pull, however many rows there are: others may be unlike them
ALIKE = 0.3  # correlation of what is right or wrong in rows that belong together
STEPS = 500  # of the descent; it ends sooner where nothing moves
STILL = 1e-6  # a change of all weights together that counts as none
SMOOTH = 0.1  # of the best mean absolute error: absolute errors below it count as squares

Error = Literal["log", "squared", "absolute"]


@dataclass(frozen=True)
class Held:
    """Several answers to held-back rows as numbers that can be weighed, and what they should be.

    x_NM: for `log` the probability that each of M answers gives the truth, else its numbers.
    y_N: the true numbers, zeros for `log`. weight_N: what each line counts. row_N: the row that
    each line is of; several labels of a row are several lines.
    """

    error: Error
    x_NM: np.ndarray
    y_N: np.ndarray
    weight_N: np.ndarray
    row_N: np.ndarray

    def of(self, rows_R: np.ndarray) -> "Held":
        """The lines of some rows; a mask over all R rows."""
        at = rows_R[self.row_N]
        return replace(
            self,
            x_NM=self.x_NM[at],
            y_N=self.y_N[at],
            weight_N=self.weight_N[at],
            row_N=self.row_N[at],
        )

    @property
    def scale(self) -> float:
        """The size of a usual error of the best answer, 1 for `log`: all losses are of one size."""
        if self.error == "log":
            return 1.0
        off_NM = np.abs(self.x_NM - self.y_N[:, None])
        power = 2 if self.error == "squared" else 1
        mean_M = np.average(off_NM**power, axis=0, weights=self.weight_N)
        return float(mean_M.min() ** (1 / power)) or 1.0

    def costs(self, w_M: np.ndarray, scale: float) -> np.ndarray:
        """What each line costs under these weights, (N,)."""
        return self.weight_N * cost(self.error, self.x_NM @ w_M, self.y_N, scale)[0]

    def total(self, w_M: np.ndarray, scale: float) -> float:
        """What all lines cost together under these weights."""
        return float(self.costs(w_M, scale).sum())

    def each(self, scale: float) -> np.ndarray:
        """What all lines cost together by each answer alone, (M,)."""
        return np.array([self.total(w_M, scale) for w_M in np.eye(self.x_NM.shape[1])])


def cost(
    error: Error, z_N: np.ndarray, y_N: np.ndarray, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """The loss of each line, and how it changes with its number; both (N,).

    scale: the size of a usual error, so that losses of all targets are of one size.
    """
    match error:
        case "log":
            doubted_N = DOUBT + (1.0 - DOUBT) * z_N
            return -np.log(doubted_N), -(1.0 - DOUBT) / doubted_N
        case "squared":
            off_N = (z_N - y_N) / scale
            return off_N**2 / 2.0, off_N / scale
        case "absolute":
            off_N = (z_N - y_N) / scale
            long_N = np.sqrt(off_N**2 + SMOOTH**2)
            return long_N - SMOOTH, off_N / long_N / scale
        case _:
            assert_never(error)


def worth(together: Sequence[Any]) -> float:
    """How many independent rows these tell as much as, by a label each that says which belong
    together (the design effect of clusters, Kish 1965).
    """
    sizes = np.unique([str(t) for t in together], return_counts=True)[1]
    usual = float(sizes @ sizes) / len(together)  # rows of a row's own cluster
    return len(together) / (1.0 + (usual - 1.0) * ALIKE)


def fit_weights(
    held: Held, prior_M: np.ndarray, *, least: float, rows: float | None = None
) -> np.ndarray:
    """The weights that cost least on the held-back rows, (M,); none between 0 and `least`.

    prior_M: weights before any row is seen. rows: how many independent ones these are worth; all of
    them where it is left out.
    """
    count = held.x_NM.shape[1]
    kept = np.arange(count)
    seen = len(np.unique(held.row_N)) if rows is None else rows
    pull = PRIOR_ROWS / max(1.0, seen) + LASTING
    while True:
        some = replace(held, x_NM=held.x_NM[:, kept])
        w_K = descend(some, renormed(prior_M[kept]), pull)
        if (w_K >= least).all() or len(kept) == 1:
            break
        low = w_K < least
        if low.all():
            low[np.argmax(w_K)] = False
        kept = kept[~low]
    w_M = np.zeros(count)
    w_M[kept] = w_K
    return w_M


def renormed(prior_K: np.ndarray) -> np.ndarray:
    """The same weights, adding up to 1; even ones where all are 0."""
    total = prior_K.sum()
    return prior_K / total if total > 0 else np.full(len(prior_K), 1.0 / len(prior_K))


def descend(held: Held, prior_M: np.ndarray, pull: float) -> np.ndarray:
    """The weights that cost least, by projected gradient steps; one valley, so one answer.

    pull: how much they are held back towards the prior.
    """
    count = held.x_NM.shape[1]
    scale = held.scale
    share_N = held.weight_N / held.weight_N.sum()

    def at(w_M: np.ndarray) -> tuple[float, np.ndarray]:
        loss_N, slope_N = cost(held.error, held.x_NM @ w_M, held.y_N, scale)
        away_M = w_M - prior_M
        value = share_N @ loss_N + pull * (away_M @ away_M) / 2.0
        return float(value), held.x_NM.T @ (share_N * slope_N) + pull * away_M

    w_M = np.full(count, 1.0 / count)
    value, slope_M = at(w_M)
    step = 1.0
    for _ in range(STEPS):
        while True:
            new_M = project(w_M - step * slope_M)
            moved_M = new_M - w_M
            reached, new_slope_M = at(new_M)
            enough = value + slope_M @ moved_M + (moved_M @ moved_M) / (2.0 * step)
            if reached <= enough + 1e-12 or step < 1e-12:
                break
            step /= 2.0
        w_M, value, slope_M = new_M, reached, new_slope_M
        if np.abs(moved_M).sum() < STILL:
            break
        step *= 1.5
    return w_M


def project(v_M: np.ndarray) -> np.ndarray:
    """The nearest weights that are at least 0 and add up to 1 (Held, Wolfe, Crowder 1974)."""
    high_M = np.sort(v_M)[::-1]
    over_M = (high_M.cumsum() - 1.0) / np.arange(1, len(v_M) + 1)
    above = over_M[np.flatnonzero(high_M > over_M)[-1]]
    return (v_M - above).clip(0.0)
