"""The surrogate of a search: chosen once, then given more rows or fitted anew."""

from collections.abc import Mapping
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from modalloy.designing.choose import Kind, by_folds, choose_surrogate
from modalloy.designing.problem import Rows
from modalloy.designing.surrogates.deep_ensemble import fit_deep_ensemble
from modalloy.designing.surrogates.gaussian_process import fit_gaussian_process
from modalloy.designing.surrogates.surrogate import Predicted, Surrogate

OfRun = Literal["trained run", "corrected run"]  # by what it got wrong


class Chosen(NamedTuple):
    """surrogate: given all rows. left_out: what it says of each row without that row; NaN of rows
    that a trained run has learned from. compared: mean log density of left-out rows, summed over
    outputs, of each kind that was tried."""

    surrogate: Surrogate
    kind: Kind | OfRun
    left_out: Predicted
    compared: Mapping[Kind, float] | Mapping[OfRun, float]


def fit_surrogate(rows: Rows, *, kind: Kind | None, fitted: int, seed: int) -> Chosen:
    """A surrogate of one kind, None for whichever foretells rows better. fitted: how many rows the
    parameters of a Gaussian process are fitted to; an ensemble learns from all."""
    if kind is None:
        found = choose_surrogate(*rows, seed=seed)
        compared = {s.kind: float(s.log_density_O.sum()) for s in found.scores}
        best = max(found.scores, key=lambda s: compared[s.kind])
        return Chosen(found.surrogate, best.kind, found.unseen, compared)
    process = fit_gaussian_process(rows.u_ND[:fitted], rows.y_NO[:fitted], seed=seed)
    if kind == "gaussian process":
        process = process.given(*rows) if fitted < len(rows.u_ND) else process
        return Chosen(process, kind, process.leave_one_out(), {})
    fit = partial(fit_deep_ensemble, seed=seed, logs=process.log_O)
    return Chosen(fit(*rows), kind, by_folds(fit, *rows, seed=seed), {})


def beside(said: Predicted, known_NV: np.ndarray, sure_NV: np.ndarray) -> Predicted:
    """Predictions with outputs behind them that are known exactly."""
    return Predicted(
        np.concatenate([said.mean_NO, known_NV], axis=1),
        np.concatenate([said.deviation_NO, sure_NV], axis=1),
        np.r_[said.log_O, np.zeros(known_NV.shape[1], dtype=bool)],
    )
