"""Which surrogate stands in for the simulator: the one by which rows that it has not seen are
likeliest."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from modalloy.designing.surrogates.deep_ensemble import Learning, fit_deep_ensemble
from modalloy.designing.surrogates.gaussian_process import fit_gaussian_process
from modalloy.designing.surrogates.surrogate import (
    Predicted,
    SmoothSurrogate,
    Surrogate,
    always_positive,
)

Kind = Literal["gaussian process", "deep ensemble"]
OfRun = Literal["trained run", "corrected run"]  # by what it got wrong
Fit = Callable[[np.ndarray, np.ndarray], SmoothSurrogate]

MOST = 3000  # rows with which an exact process is still tried
FEWEST = 100  # rows with which an ensemble is tried
FOLDS = 5


class Score(NamedTuple):
    """How one surrogate predicts rows that it has not seen, (O,) each.

    log_density_O: mean logarithm of the density of a value, more is better. r2_O, rmse_O: of its
    medians, in the outputs' units. inside_O: share of values in the middle 90 %.
    """

    kind: Kind
    log_density_O: np.ndarray
    r2_O: np.ndarray
    rmse_O: np.ndarray
    inside_O: np.ndarray


class Chosen(NamedTuple):
    """surrogate: given all rows. left_out: what it says of each row without that row; NaN of rows
    that a trained run has learned from. compared: mean log density of left-out rows, summed over
    outputs, of each kind that was tried."""

    surrogate: Surrogate
    kind: Kind | OfRun
    left_out: Predicted
    compared: Mapping[Kind, float] | Mapping[OfRun, float]


def choose_surrogate(
    u_ND: np.ndarray, y_NO: np.ndarray, *, seed: int, learning: Learning | None = None
) -> Chosen:
    """Fit the surrogates that suit so many rows, and keep the one with the larger log density,
    summed over outputs.

    A Gaussian process is judged by leaving out each row, its parameters being the same; an ensemble
    by five folds, and learns as `learning` says.
    """
    found: dict[Kind, tuple[SmoothSurrogate, Predicted]] = {}
    positive_O = always_positive(y_NO)
    process = fit_gaussian_process(u_ND[:MOST], y_NO[:MOST], seed=seed, positive=positive_O)
    if len(u_ND) <= MOST:
        found["gaussian process"] = process, process.leave_one_out()
    if len(u_ND) >= FEWEST:
        fit = partial(fit_deep_ensemble, seed=seed, logs=process.log_O, learning=learning)
        found["deep ensemble"] = fit(u_ND, y_NO), by_folds(fit, u_ND, y_NO, seed=seed)
    compared = {kind: likelihood(left_out, y_NO) for kind, (_, left_out) in found.items()}
    best = max(compared, key=compared.__getitem__)
    return Chosen(found[best][0], best, found[best][1], compared)


def by_folds(
    fit: Fit, u_ND: np.ndarray, y_NO: np.ndarray, *, seed: int, folds: int = FOLDS
) -> Predicted:
    """What surrogates say of rows that are not among theirs."""
    fold_N = np.random.default_rng(seed).permutation(len(u_ND)) % folds
    mean_NO, deviation_NO = np.full(y_NO.shape, np.nan), np.full(y_NO.shape, np.nan)
    log_O = np.zeros(y_NO.shape[1], dtype=bool)
    for f in range(folds):
        own_N = fold_N == f
        said = fit(u_ND[~own_N], y_NO[~own_N]).predict(u_ND[own_N])
        mean_NO[own_N], deviation_NO[own_N], log_O = said
    return Predicted(mean_NO, deviation_NO, log_O)


def likelihood(left_out: Predicted, y_NO: np.ndarray) -> float:
    """Mean logarithm of the density of values, summed over outputs: more is better."""
    return float(np.nanmean(left_out.log_density(y_NO), axis=0).sum())


def score_of(kind: Kind, unseen: Predicted, y_NO: np.ndarray) -> Score:
    """How predictions compare with what was run."""
    off_NO = unseen.median_NO - y_NO
    square_O = np.nanmean(off_NO**2, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        r2_O = 1.0 - square_O / np.nanvar(np.where(np.isnan(off_NO), np.nan, y_NO), axis=0)
    z_NO = np.abs(unseen.normalised(y_NO))
    inside_NO = np.where(np.isnan(z_NO), np.nan, z_NO < 1.6448536269514722)
    density_O = np.nanmean(unseen.log_density(y_NO), axis=0)
    return Score(kind, density_O, r2_O, np.sqrt(square_O), np.nanmean(inside_NO, axis=0))
