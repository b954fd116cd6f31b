"""Exact Gaussian processes, one an output: the surrogate for up to a few thousand rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from modalloy.designing.surrogates.kernel import Kernel, covariance, factor, fit_kernel, starts
from modalloy.designing.surrogates.surrogate import (
    HALF_LOG_2PI,
    Predicted,
    linked,
    refuse_without_logarithm,
)
from modalloy.errors import DesignError

FEWEST = 5  # rows with a value, below which nothing is learned of an output
FIRST = 200  # rows that choose between starts, and between a value and its logarithm


class Conditioned(NamedTuple):
    """One output's process given rows, standardised: t = shift + scale * process.

    t_N: the rows' values as they are modelled. inverse_NN: of the lower Cholesky factor. alpha_N:
    what a row's covariance is multiplied by.
    """

    kernel: Kernel
    x_ND: torch.Tensor
    t_N: torch.Tensor
    inverse_NN: torch.Tensor
    alpha_N: torch.Tensor
    shift: float
    scale: float


@dataclass(frozen=True)
class GaussianProcess:
    """A fitted process for every output. known_NO: which row had a value of which output."""

    outputs: Sequence[Conditioned]
    log_O: np.ndarray
    known_NO: np.ndarray

    def predict(self, u_ND: np.ndarray) -> Predicted:
        """Mean and deviation of a new run of each design."""
        with torch.no_grad():
            mean_NO, deviation_NO = self.posterior(torch.as_tensor(u_ND, dtype=torch.float64))
        return Predicted(mean_NO.numpy(), deviation_NO.numpy(), self.log_O)

    def posterior(self, u_ND: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same as tensors, with gradients by the designs."""
        found = [posterior_of(one, u_ND) for one in self.outputs]
        return torch.stack([m for m, _ in found], 1), torch.stack([d for _, d in found], 1)

    def leave_one_out(self) -> Predicted:
        """What the process of all other rows says of each row, the parameters being the same.

        In closed form (Rasmussen & Williams 2006, eq. 5.12); NaN where a row has no value.
        """
        shape = self.known_NO.shape
        mean_NO, deviation_NO = np.full(shape, np.nan), np.full(shape, np.nan)
        for o, one in enumerate(self.outputs):
            mean_N, deviation_N = leave_one_out_of(one)
            mean_NO[self.known_NO[:, o], o] = mean_N.numpy()
            deviation_NO[self.known_NO[:, o], o] = deviation_N.numpy()
        return Predicted(mean_NO, deviation_NO, self.log_O)

    def given(self, u_ND: np.ndarray, y_NO: np.ndarray) -> "GaussianProcess":
        """The same parameters given other rows: all of them, with new ones among them.

        DesignError where one has no logarithm of an output that is modelled by it.
        """
        refuse_without_logarithm(y_NO, self.log_O)
        t_NO = linked(y_NO, self.log_O)
        known_NO = np.isfinite(t_NO)
        outputs = [
            condition(one.kernel, *rows_of(u_ND, t_NO[:, o]), one.shift, one.scale)
            for o, one in enumerate(self.outputs)
        ]
        return GaussianProcess(outputs, self.log_O, known_NO)


def fit_gaussian_process(
    u_ND: np.ndarray,
    y_NO: np.ndarray,
    *,
    seed: int,
    rows: int = 600,
    attempts: int = 4,
    logs: Sequence[bool] | None = None,
    positive: Sequence[bool] | np.ndarray | None = None,
) -> GaussianProcess:
    """Fit a process to every output: Matern 5/2, a length for each column, a constant mean, noise.

    u_ND: designs in [0, 1]. y_NO: outputs, NaN where missing. rows: that parameters are fitted to,
    drawn; all rows are conditioned on. attempts: starts, of which the likeliest goes on. logs:
    which outputs are modelled by their logarithm; else what leave-one-out predictions say is
    likelier of each output that is above 0 throughout. positive: which outputs are so in further
    rows too, that are not among these but will be given; all where left out.

    DesignError where an output has too few values, or no logarithm that is to be modelled.
    """
    draw = np.random.default_rng(seed)
    u_ND, y_NO = np.asarray(u_ND, dtype=np.float64), np.asarray(y_NO, dtype=np.float64)
    refuse_without_logarithm(y_NO, np.zeros(1, bool) if logs is None else np.asarray(logs))
    fewest = int(np.isfinite(y_NO).sum(0).min(initial=len(y_NO)))
    if fewest < FEWEST:
        raise DesignError(
            f"an output has a value in {fewest} rows; a surrogate needs at least {FEWEST}."
        )
    outputs, log_O = [], np.zeros(y_NO.shape[1], dtype=bool)
    for o in range(y_NO.shape[1]):
        x_ND, y_N = rows_of(u_ND, y_NO[:, o])
        order = torch.from_numpy(draw.permutation(len(y_N)))
        may = bool((y_N > 0).all()) and (positive is None or bool(positive[o]))
        ways = [logs[o]] if logs is not None else [False, True] if may else [False]
        start_SP = starts(x_ND.shape[1], attempts, draw=draw)
        log_O[o], p_P = begin(x_ND[order[:FIRST]], y_N[order[:FIRST]], start_SP, ways)
        t_N = y_N.log() if log_O[o] else y_N
        shift, scale = standard(t_N)
        some = order[:rows]
        kernel, _, _ = fit_kernel(x_ND[some], (t_N[some] - shift) / scale, p_P[None], steps=60)
        outputs.append(condition(kernel, x_ND, t_N, shift, scale))
    return GaussianProcess(outputs, log_O, np.isfinite(y_NO))


def begin(
    x_ND: torch.Tensor, y_N: torch.Tensor, start_SP: np.ndarray, ways: Sequence[bool]
) -> tuple[bool, np.ndarray]:
    """Whether an output's logarithm is modelled, and where its fit begins, by a few rows.

    Of some ways, the one by which the rows' values are likelier, each left out in turn.
    """
    found = []
    for log in ways:
        t_N = y_N.log() if log else y_N
        shift, scale = standard(t_N)
        kernel, p_P, _ = fit_kernel(x_ND, (t_N - shift) / scale, start_SP, steps=40)
        mean_N, deviation_N = leave_one_out_of(condition(kernel, x_ND, t_N, shift, scale))
        density_N = -deviation_N.log() - HALF_LOG_2PI - 0.5 * ((t_N - mean_N) / deviation_N) ** 2
        found.append((float((density_N - (t_N if log else 0.0)).mean()), log, p_P))
    _, chosen, p_P = max(found, key=lambda one: one[0])
    return chosen, p_P


def condition(
    kernel: Kernel,
    x_ND: torch.Tensor,
    t_N: torch.Tensor,
    shift: float,
    scale: float,
) -> Conditioned:
    """The process given rows."""
    lower_NN = factor(kernel, x_ND)
    eye_NN = torch.eye(len(x_ND), dtype=torch.float64)
    inverse_NN = torch.linalg.solve_triangular(lower_NN, eye_NN, upper=False)
    off_N = (t_N - shift) / scale - kernel.mean
    return Conditioned(
        kernel, x_ND, t_N, inverse_NN, inverse_NN.T @ (inverse_NN @ off_N), shift, scale
    )


def posterior_of(one: Conditioned, u_ND: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation of one output."""
    k_MN = covariance(one.kernel, u_ND, one.x_ND)
    mean_M = one.kernel.mean + k_MN @ one.alpha_N
    sure_M = ((k_MN @ one.inverse_NN.T) ** 2).sum(1)
    left_M = (one.kernel.variance - sure_M).clamp_min(0.0) + one.kernel.noise
    return one.shift + one.scale * mean_M, one.scale * left_M.sqrt()


def leave_one_out_of(one: Conditioned) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation of each row by the others."""
    precision_N = (one.inverse_NN**2).sum(0)
    return one.t_N - one.scale * one.alpha_N / precision_N, one.scale / precision_N.sqrt()


def rows_of(u_ND: np.ndarray, t_N: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows that have a value."""
    known_N = np.isfinite(t_N)
    return torch.tensor(u_ND[known_N]), torch.tensor(t_N[known_N])


def standard(t_N: torch.Tensor) -> tuple[float, float]:
    """Mean and deviation; 1 where all values are the same."""
    scale = float(t_N.std())
    return float(t_N.mean()), scale if scale > 1e-12 * max(1.0, float(t_N.abs().max())) else 1.0
