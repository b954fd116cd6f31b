"""A surrogate of variables and hidden parameters together, as one of variables alone: by how much a
design's runs differ follows from what acts unseen, so that a design that bears it shows.

The space of both, and averages over what cannot be set, as in Janusevskis and Le Riche (2013, *J.
Global Optim.* 55). Letters: H hidden parameters, S points that stand for their law.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from modalloy.designing.choose import FOLDS, Chosen, Kind
from modalloy.designing.problem import Rows
from modalloy.designing.stand_in import fit_surrogate
from modalloy.designing.surrogates.deep_ensemble import fit_deep_ensemble
from modalloy.designing.surrogates.gaussian_process import GaussianProcess
from modalloy.designing.surrogates.surrogate import Predicted, SmoothSurrogate

AT_ONCE = 100  # designs that are asked for together: each is asked at every point


class Unseen(NamedTuple):
    """Hidden parameters as shares of their bounds: h_NH of each row, h_SH for their law."""

    h_NH: np.ndarray
    h_SH: np.ndarray


@dataclass(frozen=True)
class OverHidden:
    """What a surrogate of both says of designs: mean and deviation over the hidden parameters' law,
    and what the surrogate does not know."""

    surrogate: SmoothSurrogate
    h_SH: np.ndarray

    @property
    def log_O(self) -> np.ndarray:
        """Which outputs are modelled by their logarithm."""
        return self.surrogate.log_O

    def predict(self, u_ND: np.ndarray) -> Predicted:
        """Mean and deviation of a new run of each design."""
        all_ND = torch.as_tensor(u_ND, dtype=torch.float64)
        with torch.no_grad():
            said = [self.posterior(u_MD) for u_MD in all_ND.split(AT_ONCE)]
        mean_NO, deviation_NO = (torch.cat(parts) for parts in zip(*said, strict=True))
        return Predicted(mean_NO.numpy(), deviation_NO.numpy(), self.log_O)

    def posterior(self, u_ND: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same as tensors, with gradients by the designs."""
        count, points = len(u_ND), len(self.h_SH)
        h_MH = torch.from_numpy(self.h_SH).repeat(count, 1)
        both_MC = torch.cat([u_ND.repeat_interleave(points, 0), h_MH], dim=1)
        mean_MO, deviation_MO = self.surrogate.posterior(both_MC)
        mean_NSO, deviation_NSO = (
            x_MO.reshape(count, points, -1) for x_MO in (mean_MO, deviation_MO)
        )
        variance_NO = mean_NSO.var(1) + (deviation_NSO**2).mean(1)
        return mean_NSO.mean(1), variance_NO.sqrt()


def fit_over_hidden(
    rows: Rows, unseen: Unseen, *, kind: Kind | None, fitted: int, seed: int
) -> Chosen:
    """As `fit_surrogate` does, from rows whose hidden parameters are known, as a simulator's are.

    What is said of a row without that row comes of five folds: its own hidden parameters are not
    told, and the parameters of a Gaussian process are those of all rows.
    """
    both = Rows(np.concatenate([rows.u_ND, unseen.h_NH], axis=1), rows.y_NO)
    chosen = fit_surrogate(both, kind=kind, fitted=fitted, seed=seed)
    assert isinstance(chosen.surrogate, SmoothSurrogate), "it was fitted here"
    fold_N = np.random.default_rng(seed).permutation(len(both.u_ND)) % FOLDS
    mean_NO, deviation_NO = np.full(rows.y_NO.shape, np.nan), np.full(rows.y_NO.shape, np.nan)
    for f in range(FOLDS):
        own_N = fold_N == f
        without = given(chosen.surrogate, both.u_ND[~own_N], both.y_NO[~own_N], seed=seed)
        said = OverHidden(without, unseen.h_SH).predict(rows.u_ND[own_N])
        mean_NO[own_N], deviation_NO[own_N] = said.mean_NO, said.deviation_NO
    left_out = Predicted(mean_NO, deviation_NO, chosen.surrogate.log_O)
    over = OverHidden(chosen.surrogate, unseen.h_SH)
    return chosen._replace(surrogate=over, left_out=left_out)


def given(
    surrogate: SmoothSurrogate, x_ND: np.ndarray, y_NO: np.ndarray, *, seed: int
) -> SmoothSurrogate:
    """The same kind of surrogate from other rows."""
    if isinstance(surrogate, GaussianProcess):
        return surrogate.given(x_ND, y_NO)
    return fit_deep_ensemble(x_ND, y_NO, seed=seed, logs=surrogate.log_O)
