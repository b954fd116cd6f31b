"""One fused summary in, how likely each whole number is out."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from modalloy.model.tasks.linear import MemberLinear
from modalloy.model.tasks.regress import Regress
from modalloy.model.tasks.task import Outputs, Target, Task
from modalloy.model.tokens import Batch, Fused, Tokens

SHAPE = {"negative_binomial": 1, "zero_inflated": 2}  # numbers beside the mean
NARROW, WIDE = 8.0, -6.0  # log dispersions: hardly more than Poisson's spread, and the widest
LEAST = -10.0  # log mean


class Counts(Regress):
    """The distribution of a count a member, learned by its likelihood.

    Negative binomial: mean m by a log link and dispersion r, with variance m + m^2 / r (Lawless
    1987). Zero-inflated: the same, and a chance of zero for another reason (Lambert 1992).
    Empirical: a softmax over the counts of the training rows, which starts at their shares.
    """

    def __init__(self, name: str, options: Any, target: Any, width: int, members: int) -> None:
        Task.__init__(self, name)
        self.cost = options.loss
        self.distribution = options.distribution
        self.center, self.scale = float(target.center), float(target.scale) or 1.0
        shape = SHAPE.get(self.distribution, len(target.atoms) - 1)
        self.head = MemberLinear(members, width, 1 + shape)
        self.register_buffer("atom_C", torch.tensor(target.atoms).float(), persistent=False)
        share_C = torch.tensor(target.shares)
        self.farthest = float(torch.log(torch.tensor(2.0 * target.most + 1.0)))
        with torch.no_grad():
            if self.distribution == "empirical":
                self.head.bias_KC[:] = share_C.clamp_min(1e-6).log()
            else:
                self.head.bias_KC[:, 0] = (share_C @ self.atom_C).clamp_min(1e-3).log()
                if self.distribution == "zero_inflated":
                    self.head.bias_KC[:, 2] = -2.0

    def forward(self, fused: Fused, tokens: Mapping[str, Tokens], batch: Batch) -> Outputs:
        """`value` (B, K): the mean, standardised. `shape` (B, K, P): log dispersion, and the logit
        of a zero for another reason; or log chances of the counts.
        """
        out_BKC = self.head(fused.summary_BKD).float()
        if self.distribution == "empirical":
            shape_BKP = torch.log_softmax(out_BKC, -1)
            mean_BK = (shape_BKP.exp() * self.atom_C).sum(-1)
        else:
            mean_BK = out_BKC[..., 0].clamp(LEAST, self.farthest).exp()
            shape_BKP = out_BKC[..., 1:2].clamp(WIDE, NARROW)
            if self.distribution == "zero_inflated":
                other_BK1 = out_BKC[..., 2:]
                mean_BK = mean_BK * torch.sigmoid(-other_BK1[..., 0])
                shape_BKP = torch.cat([shape_BKP, other_BK1], -1)
        return {"value": (mean_BK - self.center) / self.scale, "shape": shape_BKP}

    def loss(self, outputs: Outputs, target: Target) -> Tensor:
        """Mean negative log-likelihood over known rows and members."""
        known = target["known"]
        value_NK, shape_NKP = outputs["value"][known], outputs["shape"][known]
        if not len(value_NK):
            return value_NK.sum() + shape_NKP.sum()
        count_N = (target["y"][known].float() * self.scale + self.center).round().clamp_min(0.0)
        if self.distribution == "empirical":
            middle = (self.atom_C[1:] + self.atom_C[:-1]) / 2
            at_NK1 = torch.bucketize(count_N, middle)[:, None, None].expand(*value_NK.shape, 1)
            return -shape_NKP.gather(-1, at_NK1).mean()
        mean_NK = (value_NK * self.scale + self.center).clamp_min(1e-6)
        count_NK = count_N.unsqueeze(1).expand_as(mean_NK)
        if self.distribution == "negative_binomial":
            return -log_chance(count_NK, mean_NK.log(), shape_NKP[..., 0]).mean()
        other_NK = shape_NKP[..., 1]
        log_mean_NK = mean_NK.log() - F.logsigmoid(-other_NK)
        own_NK = F.logsigmoid(-other_NK) + log_chance(count_NK, log_mean_NK, shape_NKP[..., 0])
        either_NK = torch.logaddexp(F.logsigmoid(other_NK), own_NK)
        return -torch.where(count_NK == 0, either_NK, own_NK).mean()


def log_chance(count: Tensor, log_mean: Tensor, log_dispersion: Tensor) -> Tensor:
    """Log chance of a count under a negative binomial distribution, elementwise."""
    r = log_dispersion.exp()
    log_both = torch.logaddexp(log_dispersion, log_mean)
    ways = torch.lgamma(count + r) - torch.lgamma(r) - torch.lgamma(count + 1)
    return ways + r * (log_dispersion - log_both) + count * (log_mean - log_both)
