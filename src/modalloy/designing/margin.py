"""How far inside its bounds a predicted design must lie, so that runs keep them as often as asked.

A margin is one number: deviations of the surrogate. A design is certified where every constraint
is kept by its prediction moved that many deviations toward the bound. The number is a one-sided
split-conformal threshold (Vovk et al. 2005; normalised as in Papadopoulos et al. 2008) of the worst
constraint of each row, so that one promise covers all constraints together, whatever the model.

Rows that chance spread over the space promise nothing of designs that an optimiser picked: it picks
where the surrogate errs to its liking. Proposals that were verified are picked in the same way, so
they are the rows that count, and all others for what they are worth (weights as in Barber et al.
2023, arXiv 2202.13415).
"""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import numpy as np

from modalloy.answer.conformal import fewest
from modalloy.designing.constraints import Constraint
from modalloy.designing.surrogates.surrogate import Predicted, linked, unlinked
from modalloy.errors import DesignError

CLOSE = 1e-9  # weights that differ by less are the same
ELSEWHERE = 0.1  # what a planned row counts beside a verified proposal


class Margin(NamedTuple):
    """What is promised and what it takes.

    deviations: that a prediction stays inside its bounds. confidence: that all constraints of one
    new design are kept together. planned, verified: rows of each kind that it was taken from.
    """

    deviations: float
    confidence: float
    planned: int
    verified: int


def fit_margin(
    planned_N: np.ndarray,
    verified_M: np.ndarray | None = None,
    *,
    confidence: float,
    elsewhere: float = ELSEWHERE,
) -> Margin:
    """The margin by which a stated share of new proposals, or more, keeps all constraints.

    planned_N: scores (see `constraint_scores`) of rows that nobody picked, each predicted without
    itself. verified_M: of proposals, as they were predicted before they were run, the latest ones.
    confidence: of all constraints of one design together. elsewhere: what a planned row counts
    beside verified ones, which count 1; nothing where these suffice alone.

    The threshold of n planned scores is the ceil((n + 1) * confidence)-th smallest. That of
    verified ones with planned ones beside them is the smallest score at which the weight of those
    at or below it is that share of all weight and of 1 for the new design. The margin is the larger
    one: rows that were verified where a surrogate is at its best do not speak for a design at its
    edge. DesignError where rows are too few for any.
    """
    planned_N = planned_N[~np.isnan(planned_N)]
    verified_M = np.zeros(0) if verified_M is None else verified_M[~np.isnan(verified_M)]
    needed, all_rows = fewest(confidence), len(planned_N) + len(verified_M)
    if all_rows < needed:
        raise DesignError(
            f"a margin for {confidence:.1%} needs {needed} rows with all constrained outputs; "
            f"there are {all_rows}. Run more, or ask for less confidence."
        )
    found = []
    if len(planned_N) >= needed:
        found.append(weighted_threshold(planned_N, np.ones(len(planned_N)), confidence))
    if len(verified_M):
        beside_N = planned_N if len(verified_M) < needed else planned_N[:0]
        # Less weight is more caution, but never makes rows too few that are enough.
        least = (needed - len(verified_M)) / max(len(beside_N), 1)
        weight_N = np.full(len(beside_N), min(max(elsewhere, least), 1.0))
        score_R = np.r_[beside_N, verified_M]
        weight_R = np.r_[weight_N, np.ones(len(verified_M))]
        found.append(weighted_threshold(score_R, weight_R, confidence))
    return Margin(max(found), confidence, len(planned_N), len(verified_M))


def constraint_scores(
    predicted: Predicted, y_NO: np.ndarray, names: Sequence[str], constraints: Sequence[Constraint]
) -> np.ndarray:
    """By how many deviations the worst constraint of each row was predicted too kindly, (N,).

    y_NO: what was run; NaN where missing, and then NaN is returned. names: of the O outputs.
    """
    z_NO = predicted.normalised(y_NO)
    score_N = np.full(len(z_NO), -np.inf)
    for o, sign, _ in sides(names, constraints):
        score_N = np.maximum(score_N, sign * z_NO[:, o])
    return score_N


def room(
    predicted: Predicted, names: Sequence[str], constraints: Sequence[Constraint]
) -> np.ndarray:
    """How many deviations each design lies inside its tightest bound, (N,).

    A design is certified where this is the margin's deviations or more.
    """
    room_N = np.full(len(predicted.mean_NO), np.inf)
    for o, sign, bound in sides(names, constraints):
        end = linked(np.asarray(bound), predicted.log_O[o])
        inside_N = sign * (end - predicted.mean_NO[:, o]) / predicted.deviation_NO[:, o]
        room_N = np.minimum(room_N, inside_N)
    return room_N


def sides(
    names: Sequence[str], constraints: Sequence[Constraint]
) -> list[tuple[int, float, float]]:
    """Every finite end of every constraint: its output's place, 1 above and -1 below, the bound."""
    found = []
    for c in constraints:
        if c.output in names:  # others are known exactly and need no margin
            o = names.index(c.output)
            ends = ((1.0, c.high), (-1.0, c.low))
            found += [(o, sign, end) for sign, end in ends if np.isfinite(end)]
    return found


def weighted_threshold(score_R: np.ndarray, weight_R: np.ndarray, coverage: float) -> float:
    """The smallest score at which that share of all weight, and of 1 more at infinity, is reached.

    With equal weights of 1 it is the ceil((R + 1) * coverage)-th smallest.
    """
    order_R = np.argsort(score_R, kind="stable")
    reached_R = np.cumsum(weight_R[order_R])
    wanted = coverage * (weight_R.sum() + 1.0) - CLOSE
    at = int(np.searchsorted(reached_R, wanted))
    return float(score_R[order_R[at]]) if at < len(score_R) else float("inf")


class Intervals(NamedTuple):
    """Two-sided intervals of every output, in its unit, (N, O)."""

    low_NO: np.ndarray
    high_NO: np.ndarray


def conformal_deviations(predicted: Predicted, y_NO: np.ndarray, *, coverage: float) -> np.ndarray:
    """How many deviations to either side hold that share of new values, (O,), one output each.

    predicted: of calibration rows, each without itself. Infinite where rows are too few.
    """
    z_NO = np.abs(predicted.normalised(y_NO))
    found = []
    for z_N in z_NO.T:
        z_N = np.sort(z_N[~np.isnan(z_N)])
        at = ceil((len(z_N) + 1) * coverage - CLOSE)
        found.append(z_N[at - 1] if at <= len(z_N) else np.inf)
    return np.asarray(found)


def intervals(predicted: Predicted, deviations_O: np.ndarray) -> Intervals:
    """The intervals of designs that reach so many deviations to either side."""
    reach_NO = deviations_O * predicted.deviation_NO
    low_NO = unlinked(predicted.mean_NO - reach_NO, predicted.log_O)
    return Intervals(low_NO, unlinked(predicted.mean_NO + reach_NO, predicted.log_O))
