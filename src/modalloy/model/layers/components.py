"""Principal components of features of few rows: all that a linear model can tell of them, short."""

import torch
from torch import Tensor, nn

STILL = 1e-6  # deviation of a feature below which it says nothing
LEAST = 1e-6  # share of the first component's variance below which one is rounding


class Components(nn.Module):
    """Standardised features in directions in which training rows differ most, not whitened.

    Of n rows at most n - 1 directions carry everything that a linear model can learn from them
    (as kernel ridge regression does); `fit` finds them. Components keep their own deviations and
    are 1 in root mean square together, so that a model which is held back learns from the strong
    ones first. sparse: a feature that is 0 in a row stays 0, and one that is mostly 0 is held back
    by the fourth power of its share of zeros, as Hydra's authors scale counts (2203.13652).
    """

    mean_F: Tensor
    scale_F: Tensor
    center_R: Tensor
    basis_FR: Tensor

    def __init__(self, features: int, rank: int, *, sparse: bool = False) -> None:
        super().__init__()
        self.sparse = sparse
        self.register_buffer("mean_F", torch.zeros(features))
        self.register_buffer("scale_F", torch.ones(features))
        self.register_buffer("center_R", torch.zeros(rank))
        self.register_buffer("basis_FR", torch.zeros(features, rank))

    def forward(self, x_BF: Tensor) -> Tensor:
        """(B, F) -> (B, R)."""
        return self.scaled(x_BF) @ self.basis_FR - self.center_R

    def scaled(self, x_BF: Tensor) -> Tensor:
        """Each feature over its deviation, (B, F), at most 10."""
        z_BF = (x_BF - self.mean_F) * self.scale_F
        return (z_BF * (x_BF != 0) if self.sparse else z_BF).clamp(-10, 10)

    @torch.no_grad()
    def fit(self, x_NF: Tensor) -> None:
        """Take scales and directions from rows; directions beyond those there are stay 0."""
        std_F = x_NF.std(0, correction=0)
        alive_F = (std_F > STILL).to(x_NF.dtype)
        if self.sparse:
            std_F = std_F + (x_NF == 0).to(x_NF.dtype).mean(0) ** 4
        self.mean_F.copy_(x_NF.mean(0))
        self.scale_F.copy_(alive_F / std_F.clamp_min(STILL))
        z_NF = self.scaled(x_NF)
        middle_F = z_NF.mean(0)
        z_NF = (z_NF - middle_F).double()
        power_N, turn_NN = torch.linalg.eigh(z_NF @ z_NF.T)
        power_N, turn_NN = power_N.flip(0), turn_NN.flip(1)
        count = min(self.basis_FR.shape[1], int((power_N > LEAST * power_N[0]).sum()))
        self.basis_FR.zero_()
        self.center_R.zero_()
        if not count or power_N[0] <= 0:
            return
        power_R = power_N[:count]
        level = (power_R.mean() / len(z_NF)).sqrt()
        basis_FR = z_NF.T @ turn_NN[:, :count] / power_R.sqrt() / level
        # Signs of eigenvectors are the solver's whim.
        basis_FR = basis_FR * basis_FR.sum(0).sign()
        self.basis_FR[:, :count] = basis_FR.to(x_NF.dtype)
        self.center_R.copy_(middle_F @ self.basis_FR)
