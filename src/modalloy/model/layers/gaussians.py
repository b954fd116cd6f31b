"""Mixtures of Gaussians over whole patches: how likely a patch is, its mean, a draw.

Mixture density networks (Bishop 1994), as GIVT predicts what follows (Tschannen et al. 2023,
2312.02116), with one choice of component for all numbers of a patch: a stroke goes through a patch
as a whole, or does not. Every number is taken as measured with a little noise, so that a black
background or a dead channel cannot become infinitely likely.
"""

from math import log
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Range(NamedTuple):
    """What the numbers of a patch can be, and the deviation of the noise they are measured with."""

    low: float
    high: float
    noise: float


class Mixture(NamedTuple):
    """What each patch may be: K components over its P numbers, none narrower than the noise.

    wider: log of the deviation over that of the noise, at least 0.
    """

    logits_BNK: Tensor
    mean_BNKP: Tensor
    wider_BNKP: Tensor

    def nats(self, x_BNP: Tensor, span: Range, counts_BNP: Tensor) -> Tensor:
        """How much less likely each patch is than a sure one, (B, N), over the numbers that count.

        The negative log of the density, times what makes it 1 at the mean of a component that is as
        narrow as the noise: 0 at best.
        """
        z_BNKP = (x_BNP.unsqueeze(2) - self.mean_BNKP) * (-self.wider_BNKP).exp() / span.noise
        each_BNKP = (z_BNKP.square() / 2 + self.wider_BNKP) * counts_BNP.unsqueeze(2)
        nats_BN = -torch.logsumexp(self.logits_BNK.log_softmax(-1) - each_BNKP.sum(-1), -1)
        return nats_BN.masked_fill(~counts_BNP.any(-1), 0.0)

    def mean(self, span: Range) -> Tensor:
        """The expected patch, (B, N, P)."""
        kept_BNKP = self.mean_BNKP.clamp(span.low, span.high)
        return (self.logits_BNK.softmax(-1).unsqueeze(-1) * kept_BNKP).sum(2)

    def draw(self, u_BNO: Tensor, temperature: float, span: Range) -> Tensor:
        """A patch without the noise of measuring, (B, N, P).

        u_BNO: numbers between 0 and 1: one for the component, P for the rest. temperature: 1 draws
        as was learned; less keeps to what is likelier.
        """
        below_BNK = (self.logits_BNK / temperature).softmax(-1).cumsum(-1)
        k_BN1 = (below_BNK < u_BNO[..., :1]).sum(-1, keepdim=True)
        k_BN1 = k_BN1.clamp_max(below_BNK.shape[-1] - 1)
        at_BN1P = k_BN1.unsqueeze(-1).expand(*k_BN1.shape, self.mean_BNKP.shape[-1])
        mean_BNP = self.mean_BNKP.gather(2, at_BN1P).squeeze(2)
        wider_BNP = self.wider_BNKP.gather(2, at_BN1P).squeeze(2)
        own_BNP = span.noise * torch.expm1(2 * wider_BNP).sqrt()
        normal_BNP = torch.special.ndtri(u_BNO[..., 1:].clamp(1e-6, 1 - 1e-6))
        return (mean_BNP + temperature * own_BNP * normal_BNP).clamp(span.low, span.high)


class MixtureHead(nn.Module):
    """A state to a mixture over a patch."""

    def __init__(self, width: int, numbers: int, components: int, span: Range) -> None:
        super().__init__()
        self.components, self.numbers = components, numbers
        self.start = log(0.5 / span.noise)  # of the deviation, before anything is learned
        self.norm = nn.LayerNorm(width)
        self.outward = nn.Linear(width, components * (1 + 2 * numbers))
        # Components that start alike would learn alike.
        self.start_KP = nn.Parameter(torch.randn(components, numbers) * 0.3)

    def forward(self, x_BNW: Tensor) -> Mixture:
        """(B, N, W) to a mixture of each patch."""
        found = self.outward(self.norm(x_BNW)).unflatten(-1, (self.components, -1))
        logits_BNK1, mean_BNKP, wider_BNKP = found.split([1, self.numbers, self.numbers], -1)
        return Mixture(
            logits_BNK1.squeeze(-1), mean_BNKP + self.start_KP, F.softplus(wider_BNKP + self.start)
        )
