"""Where the fit of hidden parameters begins: the best of several least-squares fits to few rows."""

from typing import NamedTuple

import numpy as np

from modalloy.twin.calibration.trials import STEP, Trials

MOST_ROWS = 60  # that starts are compared on
SCOUTS = 5  # places for each parameter that are looked at before any fit begins
BARRIER = 30.0  # residual of a failed run, in deviations of its output: no step ends there
APART = 0.1  # widths between two fits, beyond which they are different answers
CLOSE = 4.0  # of cost, a seventh of the density: fits that some rows cannot tell apart
STEPS = 25  # of one fit at most


class Start(NamedTuple):
    """t_K: the best fit. others_XK: fits elsewhere that are hardly less likely."""

    t_K: np.ndarray
    others_XK: np.ndarray


class LocalFit(NamedTuple):
    """One fit. cost: minus twice its log density, noise being what is left."""

    t_K: np.ndarray
    cost: float
    noise_O: np.ndarray


def find_start(
    trials: Trials, y_NO: np.ndarray, *, starts: int, draw: np.random.Generator
) -> Start:
    """Look at places all over the bounds, fit from the best of them, and keep the best fit.

    Each fit is twice scipy's trust-region reflective one (Branch, Coleman and Li, 1999): with
    outputs weighted by their deviation, then by what was left of them.
    """
    row_N = np.sort(draw.permutation(trials.rows)[:MOST_ROWS])
    y_NO = y_NO[row_N]
    scouted = scout(trials, y_NO, row_N, draw)
    fits = []
    for t_K in [one.t_K for one in scouted[:starts]]:
        noise_O = deviations(y_NO)
        found = fit_from(trials, y_NO, row_N, t_K, noise_O)
        fits.append(fit_from(trials, y_NO, row_N, found.t_K, found.noise_O))
    fits.sort(key=lambda one: one.cost)
    best = fits[0]
    others: list[np.ndarray] = []
    for one in fits[1:]:
        apart = [np.abs(one.t_K - other).max() > APART for other in [best.t_K, *others]]
        if one.cost < best.cost + CLOSE and all(apart):
            others.append(one.t_K)
    return Start(best.t_K, np.reshape(others, (len(others), trials.prior.size)))


def scout(
    trials: Trials, y_NO: np.ndarray, row_N: np.ndarray, draw: np.random.Generator
) -> list[LocalFit]:
    """Defaults and a Latin hypercube of places, the likeliest first."""
    from scipy.stats import qmc

    size = trials.prior.size
    spread_MK = qmc.LatinHypercube(d=size, seed=draw).random(SCOUTS * size)
    t_MK = np.concatenate([trials.prior.centre_K[None], spread_MK])
    f_MNO = trials.everywhere(t_MK, row_N)
    found = [judged(trials, t_K, y_NO, f_NO) for t_K, f_NO in zip(t_MK, f_MNO, strict=True)]
    return sorted(found, key=lambda one: one.cost)


def fit_from(
    trials: Trials, y_NO: np.ndarray, row_N: np.ndarray, t_K: np.ndarray, noise_O: np.ndarray
) -> LocalFit:
    """Least squares from one place, outputs weighted by their noise."""
    from scipy.optimize import least_squares

    prior, known_NO = trials.prior, np.isfinite(y_NO)
    root_K = np.sqrt(prior.precision_K)
    last: dict[bytes, np.ndarray] = {}

    def outputs(at_K: np.ndarray) -> np.ndarray:
        if at_K.tobytes() not in last:
            last.clear()
            last[at_K.tobytes()] = trials.everywhere(at_K[None], row_N)[0]
        return last[at_K.tobytes()]

    def residuals(at_K: np.ndarray) -> np.ndarray:
        left_NO = (y_NO - outputs(at_K)) / noise_O
        left_NO = np.where(np.isfinite(left_NO), left_NO, BARRIER)
        return np.r_[left_NO[known_NO], root_K * (at_K - prior.centre_K)]

    def jacobian(at_K: np.ndarray) -> np.ndarray:
        step_K = np.where(at_K + STEP <= 1.0, STEP, -STEP)
        f_NO, f_KNO = outputs(at_K), trials.everywhere(at_K + np.diag(step_K), row_N)
        slope_KNO = -(f_KNO - f_NO) / step_K[:, None, None] / noise_O
        slope_KNO = np.where(np.isfinite(slope_KNO), slope_KNO, 0.0)
        return np.concatenate([slope_KNO[:, known_NO].T, np.diag(root_K)])

    inside_K = np.clip(t_K, 1e-6, 1.0 - 1e-6)
    found = least_squares(
        residuals, inside_K, jacobian, (0.0, 1.0), ftol=1e-3, xtol=1e-3, gtol=1e-6, max_nfev=STEPS
    )
    return judged(trials, found.x, y_NO, outputs(found.x))


def judged(trials: Trials, t_K: np.ndarray, y_NO: np.ndarray, f_NO: np.ndarray) -> LocalFit:
    """A place and its cost: each output's noise is what is left of it, failed runs are far off."""
    size_O, count_O = deviations(y_NO), np.isfinite(y_NO).sum(0)
    left_NO = np.where(np.isfinite(f_NO), y_NO - f_NO, BARRIER * size_O)
    noise_O = np.sqrt(np.nanmean(left_NO**2, axis=0))
    noise_O = np.maximum(noise_O, 1e-6 * size_O)
    cost = 2.0 * float(count_O @ np.log(noise_O / size_O)) + trials.prior.cost(t_K)
    return LocalFit(t_K, cost, noise_O)


def deviations(y_NO: np.ndarray) -> np.ndarray:
    """Deviation of each output; its size where all values are the same, 1 where these are 0."""
    found_O, size_O = np.nanstd(y_NO, axis=0), np.nanmax(np.abs(y_NO), axis=0)
    flat_O = found_O < 1e-9 * np.maximum(size_O, 1e-300)
    return np.where(flat_O, np.where(size_O > 0, size_O, 1.0), found_O)
