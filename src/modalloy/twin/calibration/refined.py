"""Hidden parameters, their spread between parts and the noise of outputs, fitted to all rows.

Lindstrom and Bates' alternation (1990): the twin is run at every part's own parameters and made
linear there, a linear mixed model says how far the mean and each part are to move, and so on.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from modalloy.twin.calibration.likely_scales import ScaleFit
from modalloy.twin.calibration.mixed_model import Scales, Solved, gather, part_shifts
from modalloy.twin.calibration.trials import Trials

MOST_STEP = 0.25  # widths that the mean may move at once
SETTLED = 0.03  # posterior deviations of a last move
SETTLED_PARTS = 0.1  # spreads that parts move by in the mean
STILL = 1e-6  # widths of a last move, where next to nothing is left unknown
ROUNDS = 15


class Measured(NamedTuple):
    """y_NO: NaN where nothing was measured. part_N: from 0. noise: of outputs by number, where it
    is known. spread: whether parts may differ.
    """

    y_NO: np.ndarray
    part_N: np.ndarray
    noise: Mapping[int, float]
    spread: bool


class Refined(NamedTuple):
    """t_K: the estimate. centre_K: where rows alone would have it, outside the bounds perhaps.
    stopped_K: which parameters stop at a bound. b_PK: what parts differ by. slope_NOK, left_NO:
    slopes, and what the mean leaves of each cell. settled: whether the estimate stands still.
    """

    t_K: np.ndarray
    centre_K: np.ndarray
    stopped_K: np.ndarray
    b_PK: np.ndarray
    scales: Scales
    solved: Solved
    fit: ScaleFit
    slope_NOK: np.ndarray
    left_NO: np.ndarray
    settled: bool


def refine(trials: Trials, measured: Measured, t_K: np.ndarray) -> Refined:
    """Alternate until the estimate stands still; then once more with slopes over both sides."""
    b_PK = np.zeros((int(measured.part_N.max()) + 1, trials.prior.size))
    scales, central = None, False
    for _ in range(ROUNDS):
        found = linear_round(trials, measured, t_K, b_PK, scales, central=central)
        if central:
            return found._replace(settled=True)  # as it was before slopes were made sharper
        move_K = found.t_K - t_K
        central = found.settled
        t_K = np.clip(t_K + np.clip(move_K, -MOST_STEP, MOST_STEP), 0.0, 1.0)
        b_PK, scales = found.b_PK, found.scales
    return linear_round(trials, measured, t_K, b_PK, scales, central=True)._replace(settled=False)


def linear_round(
    trials: Trials,
    measured: Measured,
    t_K: np.ndarray,
    b_PK: np.ndarray,
    scales: Scales | None,
    *,
    central: bool,
) -> Refined:
    """Run the twin, make it linear there, and solve."""
    prior, part_N = trials.prior, measured.part_N
    at_NK = np.clip(t_K + b_PK[part_N], 0.0, 1.0)
    sloped = trials.sloped(at_NK, central=central)
    w_NO = measured.y_NO - sloped.f_NO + np.einsum("nok,nk->no", sloped.slope_NOK, at_NK - t_K)
    sums = gather(w_NO, sloped.slope_NOK, part_N)
    mean_K = prior.centre_K - t_K
    fit = ScaleFit(sums, mean_K, prior.precision_K, measured.noise, measured.spread)
    scales = fit.likeliest(scales)
    solved = fit.solve(scales)
    move_K, stopped_K = inside(solved, -t_K, 1.0 - t_K)
    deviation_K = np.sqrt(np.diag(np.linalg.inv(solved.precision_KK)))
    shifts_PK = part_shifts(sums, scales, move_K)
    parted_K = np.sqrt(((shifts_PK - b_PK) ** 2).mean(0))
    settled = (np.abs(move_K) <= np.maximum(SETTLED * deviation_K, STILL)).all() and (
        parted_K <= np.maximum(SETTLED_PARTS * scales.spread_K, STILL)
    ).all()
    return Refined(
        t_K + move_K,
        t_K + solved.shift_K,
        stopped_K,
        shifts_PK,
        scales,
        solved,
        fit,
        sloped.slope_NOK,
        w_NO - sloped.slope_NOK @ move_K,
        bool(settled),
    )


def inside(solved: Solved, low_K: np.ndarray, high_K: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest shift inside bounds, and which parameters stop at one.

    Parameters that would leave are held at their bound, the furthest first, and the others follow.
    """
    held_K = np.zeros(len(low_K), dtype=bool)
    shift_K = solved.shift_K.copy()
    while True:
        beyond_K = np.where(held_K, 0.0, np.maximum(low_K - shift_K, shift_K - high_K))
        worst = int(np.argmax(beyond_K))
        if beyond_K[worst] <= 0.0:
            return shift_K, held_K
        held_K[worst] = True
        off_K = np.clip(shift_K, low_K, high_K) - solved.shift_K
        free = np.flatnonzero(~held_K)
        fixed = np.flatnonzero(held_K)
        shift_K = solved.shift_K + np.where(held_K, off_K, 0.0)
        if len(free):
            a_FF = solved.precision_KK[np.ix_(free, free)]
            a_FH = solved.precision_KK[np.ix_(free, fixed)]
            shift_K[free] -= np.linalg.solve(a_FF, a_FH @ off_K[fixed])
