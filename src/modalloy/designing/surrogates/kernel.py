"""The Matern 5/2 kernel with a length for each column, and how likely its parameters make outputs.

Letters: N rows, M other rows, D columns, P parameters.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize

ROOT5 = math.sqrt(5.0)
QUIET = 1e-7  # least noise, in units of the kernel's variance: what doubles can tell apart
# Priors of the logarithms of parameters, as mean and deviation. Lengths grow with the root of the
# number of columns, so that many columns do not make everything far (Hvarfner et al. 2024,
# arXiv 2402.02229); noise is usually little, but may be as large as what is to be learned.
LENGTH_PRIOR = (math.sqrt(2.0), math.sqrt(3.0))
VARIANCE_PRIOR = (0.0, 2.0)
NOISE_PRIOR = (-8.0, 4.0)
LENGTHS = (math.log(1e-2), math.log(1e3))
VARIANCES = (math.log(1e-3), math.log(1e4))


class Kernel(NamedTuple):
    """Parameters of a Gaussian process with a constant mean.

    noise: variance of what two runs of one design differ by; variance, noise and mean are in the
    units of what was fitted.
    """

    length_D: torch.Tensor
    variance: float
    noise: float
    mean: float


def covariance(kernel: Kernel, x_ND: torch.Tensor, z_MD: torch.Tensor) -> torch.Tensor:
    """Covariances of noiseless outputs, (N, M) float64."""
    return kernel.variance * matern(apart(x_ND / kernel.length_D, z_MD / kernel.length_D))


def matern(square_NM: torch.Tensor) -> torch.Tensor:
    """Correlation at squared distances in units of the lengths."""
    # The root has no slope at 0, but the correlation has: a floor keeps its gradient at 0.
    r_NM = ROOT5 * square_NM.clamp_min(1e-30).sqrt()
    return (1.0 + r_NM + r_NM**2 / 3.0) * torch.exp(-r_NM)


def apart(x_ND: torch.Tensor, z_MD: torch.Tensor) -> torch.Tensor:
    """Squared distances of all pairs, (N, M)."""
    middle_D = z_MD.detach().mean(0)
    x_ND, z_MD = x_ND - middle_D, z_MD - middle_D
    square_NM = (x_ND**2).sum(1)[:, None] + (z_MD**2).sum(1) - 2.0 * x_ND @ z_MD.T
    return square_NM.clamp_min(0.0)


def fit_kernel(
    x_ND: torch.Tensor, y_N: torch.Tensor, starts_SP: np.ndarray, *, steps: int
) -> tuple[Kernel, np.ndarray, float]:
    """The parameters that are likeliest given rows, from the best of some starts.

    starts_SP: logarithms of D lengths, of the variance, and of noise over variance. steps: of
    L-BFGS at most. Returns the kernel, its logarithms, and the logarithm of their posterior.
    """
    bounds = [LENGTHS] * x_ND.shape[1] + [VARIANCES, (math.log(QUIET), math.log(1e2))]

    def loss(p_P: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope_P = log_posterior(torch.from_numpy(p_P), x_ND, y_N)
        return -value, -slope_P.numpy()

    found = [
        minimize(loss, p_P, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps})
        for p_P in starts_SP
    ]
    best = min(found, key=lambda one: float(one.fun))
    p_P = torch.from_numpy(np.asarray(best.x, dtype=np.float64))
    return kernel_of(p_P, x_ND, y_N), p_P.numpy(), -float(best.fun)


def starts(columns: int, count: int, *, draw: np.random.Generator) -> np.ndarray:
    """Where fits begin, (count, P): usual lengths first, then drawn ones."""
    middle = LENGTH_PRIOR[0] + 0.5 * math.log(columns)
    start_SP = np.tile(np.r_[np.full(columns, middle - 1.0), 0.0, math.log(1e-4)], (count, 1))
    start_SP[1:, :columns] += draw.normal(0.0, 1.0, (count - 1, columns))
    start_SP[1:, -1] += draw.normal(0.0, 3.0, count - 1)
    return np.clip(start_SP, math.log(QUIET) + 1.0, 6.0)


def kernel_of(p_P: torch.Tensor, x_ND: torch.Tensor, y_N: torch.Tensor) -> Kernel:
    """Parameters from their logarithms; the mean is the likeliest one given the rows."""
    variance = math.exp(float(p_P[-2]))
    plain = Kernel(p_P[:-2].exp(), variance, variance * math.exp(float(p_P[-1])), 0.0)
    lower_NN = factor(plain, x_ND)
    both_N2 = torch.stack([torch.ones_like(y_N), y_N], dim=1)
    solved_N2 = torch.cholesky_solve(both_N2, lower_NN)
    return plain._replace(mean=float(solved_N2[:, 1].sum() / solved_N2[:, 0].sum()))


def factor(kernel: Kernel, x_ND: torch.Tensor) -> torch.Tensor:
    """The lower Cholesky factor of the covariance of rows with their noise, (N, N)."""
    k_NN = covariance(kernel, x_ND, x_ND)
    k_NN.diagonal().add_(kernel.noise)
    return torch.linalg.cholesky(k_NN)


@torch.no_grad()
def log_posterior(
    p_P: torch.Tensor, x_ND: torch.Tensor, y_N: torch.Tensor
) -> tuple[float, torch.Tensor]:
    """The logarithm of likelihood times priors of parameters, and its slope (P,).

    The mean is the likeliest one and so has no slope. Derivatives are written out (Rasmussen &
    Williams 2006, eq. 5.9), so that nothing goes back through a Cholesky factor.
    """
    x_ND = x_ND / p_P[:-2].exp()
    variance, share = p_P[-2].exp(), p_P[-1].exp()
    r_NN = ROOT5 * apart(x_ND, x_ND).sqrt_()
    fall_NN = torch.exp(-r_NN)
    k_NN = variance * (1.0 + r_NN + r_NN**2 / 3.0) * fall_NN
    lower_NN = k_NN.clone()
    lower_NN.diagonal().add_(variance * share)
    lower_NN = torch.linalg.cholesky(lower_NN)
    inverse_NN = torch.cholesky_inverse(lower_NN)
    mean = (inverse_NN @ y_N).sum() / inverse_NN.sum()
    alpha_N = inverse_NN @ (y_N - mean)
    value = -0.5 * (y_N - mean) @ alpha_N - lower_NN.diagonal().log().sum()

    weight_NN = 0.5 * (torch.outer(alpha_N, alpha_N) - inverse_NN)
    by_noise = weight_NN.diagonal().sum() * variance * share
    by_variance = (weight_NN * k_NN).sum() + by_noise
    # d k / d log length = variance * 5/3 * (1 + r) * exp(-r) * (difference / length)**2
    pull_NN = weight_NN * (5.0 / 3.0 * variance) * (1.0 + r_NN) * fall_NN
    by_length_D = 2.0 * (pull_NN.sum(1) @ x_ND**2 - ((pull_NN @ x_ND) * x_ND).sum(0))
    slope_P = torch.cat([by_length_D, torch.stack([by_variance, by_noise])])
    prior, prior_slope_P = log_prior(p_P)
    return float(value + prior), slope_P + prior_slope_P


def log_prior(p_P: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The logarithm of the priors, up to a constant, and its slope."""
    columns = len(p_P) - 2
    length, spread = LENGTH_PRIOR[0] + 0.5 * math.log(columns), LENGTH_PRIOR[1]
    middle_P = torch.tensor([length] * columns + [VARIANCE_PRIOR[0], NOISE_PRIOR[0]]).to(p_P)
    spread_P = torch.tensor([spread] * columns + [VARIANCE_PRIOR[1], NOISE_PRIOR[1]]).to(p_P)
    off_P = (p_P - middle_P) / spread_P
    return -0.5 * (off_P**2).sum(), -off_P / spread_P
