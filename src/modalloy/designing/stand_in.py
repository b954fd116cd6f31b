"""The surrogate of a search: chosen once, then given more rows or fitted anew."""

from functools import partial

import numpy as np

from modalloy.designing.choose import Chosen, Kind, by_folds, choose_surrogate
from modalloy.designing.problem import Rows
from modalloy.designing.surrogates.deep_ensemble import fit_deep_ensemble
from modalloy.designing.surrogates.gaussian_process import fit_gaussian_process
from modalloy.designing.surrogates.surrogate import Predicted, always_positive


def fit_surrogate(rows: Rows, *, kind: Kind | None, fitted: int, seed: int) -> Chosen:
    """A surrogate of one kind, None for whichever foretells rows better. fitted: how many rows the
    parameters of a Gaussian process are fitted to; an ensemble learns from all."""
    if kind is None:
        return choose_surrogate(*rows, seed=seed)
    positive_O = always_positive(rows.y_NO)  # later rows may be 0 or less where the first are not
    first = rows.u_ND[:fitted], rows.y_NO[:fitted]
    process = fit_gaussian_process(*first, seed=seed, positive=positive_O)
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
