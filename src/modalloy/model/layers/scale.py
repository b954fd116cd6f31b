"""Standardises frozen features, so that a linear layer learns from them."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modalloy.model.layers.shared_norms import Shared, added_up

# Share of entries hidden in training: a head on frozen Whisper went from 0.933 to 0.948 on esc10.
FROZEN_DROPOUT = 0.2


class Standardise(Shared, nn.Module):
    """Subtracts the mean and divides by the deviation of the rows seen in training, each entry.

    Unlike batch norm the same running figures serve in training and afterwards, so that one row
    alone is treated as it is in a batch. After `rows` rows they stand still, so that training
    settles. An entry that hardly varied in training cannot shout later: results end at -10 and 10.
    `dropout` is the share of entries hidden while training, where features are many and rows few.
    `noise`: a deviation that every entry has besides its own, so that one which varies by nothing
    but rounding is not drawn out to the size of the others: processors round differently.
    """

    def __init__(
        self, features: int, *, dropout: float = 0.0, rows: int = 20_000, noise: float = 0.0
    ) -> None:
        super().__init__()
        self.dropout, self.rows, self.noise = dropout, rows, noise
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("mean_F", torch.zeros(features))
        self.register_buffer("variance_F", torch.ones(features))

    def forward(self, x_BF: Tensor) -> Tensor:
        """The same shape (..., F), standardised; in training the figures are updated first."""
        x_BF = x_BF.float()
        if self.training and self.seen < self.rows:
            self.update(x_BF.detach().flatten(0, -2))
        z_BF = (x_BF - self.mean_F) * (self.variance_F + 1e-6).rsqrt()
        return F.dropout(z_BF.clamp(-10.0, 10.0), self.dropout, self.training)

    @torch.no_grad()
    def update(self, x_NF: Tensor) -> None:
        """Join these rows to the figures (Chan, Golub & LeVeque 1979); no row changes nothing."""
        rows, mean_F, variance_F = self.figures(x_NF)
        if rows == 0:  # in no process: their mean is no number
            return
        variance_F = variance_F + self.noise**2
        total = self.seen + rows
        share = rows / total
        gap_F = mean_F - self.mean_F
        if self.seen == 0:
            self.variance_F.copy_(variance_F)
        else:
            spread_F = gap_F.square() * share * (1 - share)
            self.variance_F.lerp_(variance_F, share).add_(spread_F)
        self.mean_F.add_(gap_F * share)
        self.seen.copy_(total)

    def figures(self, x_NF: Tensor) -> tuple[Tensor | int, Tensor, Tensor]:
        """How many rows there are, in all processes, their mean and their variance."""
        if not self.together:
            return len(x_NF), x_NF.mean(0), x_NF.var(0, correction=0)
        own_NF = x_NF[:0] if self.guest else x_NF
        rows = added_up(own_NF.new_tensor(len(own_NF)))
        mean_F = added_up(own_NF.sum(0)) / rows
        return rows, mean_F, added_up((own_NF - mean_F).square().sum(0)) / rows
