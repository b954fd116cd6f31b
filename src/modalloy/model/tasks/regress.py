"""One fused summary in, a standardised number out, and quantiles where they are asked for."""

from collections.abc import Mapping, Sequence
from typing import Any, Self, assert_never

import torch
import torch.nn.functional as F
from torch import Tensor

from modalloy.job import config
from modalloy.model.tasks.linear import MemberLinear
from modalloy.model.tasks.task import Outputs, Target, Task
from modalloy.model.tokens import Batch, Fused, Tokens


class Regress(Task):
    """A standardised number a member; quantiles by the pinball loss (Koenker & Bassett 1978).

    Quantiles never cross: each is the one below it plus a positive step.
    """

    def __init__(
        self,
        name: str,
        options: config.Regress,
        target: Any,
        width: int,
        members: int,
    ) -> None:
        super().__init__(name)
        self.cost = options.loss
        self.head = MemberLinear(members, width, 1 + len(options.quantiles))
        levels_Q = torch.tensor(options.quantiles, dtype=torch.float32)
        self.register_buffer("levels_Q", levels_Q, persistent=False)
        if len(levels_Q):
            # Starts at the quantiles of a standard normal, which a standardised target is near.
            start_Q = torch.special.ndtri(levels_Q.sort().values)
            step_Q = start_Q.diff().clamp_min(1e-2)
            inverse_softplus = torch.log(torch.expm1(step_Q))
            with torch.no_grad():
                self.head.bias_KC[:, 1:] = torch.cat([start_Q[:1], inverse_softplus])

    @classmethod
    def build(
        cls,
        name: str,
        options: config.Regress,
        target: Any,
        width: int,
        members: int,
        *,
        label_smoothing: float,
        channels: Mapping[str, Sequence[int]],
    ) -> Self:
        """The head of one task; see `build_task`."""
        return cls(name, options, target, width, members)

    def forward(self, fused: Fused, tokens: Mapping[str, Tokens], batch: Batch) -> Outputs:
        """`value` (B, K) and `quantiles` (B, K, Q) in the order asked for, both standardised."""
        out_BKC = self.head(fused.summary_BKD).float()
        outputs = {"value": out_BKC[..., 0]}
        if len(self.levels_Q):
            outputs["quantiles"] = self._climb(out_BKC[..., 1:])
        return outputs

    def loss(self, outputs: Outputs, target: Target) -> Tensor:
        """Mean cost over known rows and members, plus the pinball loss of the quantiles."""
        known = target["known"]
        value_NK = outputs["value"][known]
        if not len(value_NK):
            return torch.cat([o[known].flatten() for o in outputs.values()]).sum()
        y_NK = target["y"][known].float().unsqueeze(1).expand_as(value_NK)
        total = self._cost(value_NK, y_NK)
        if "quantiles" in outputs:
            over_NKQ = y_NK.unsqueeze(-1) - outputs["quantiles"][known]
            total = (
                total
                + torch.maximum(self.levels_Q * over_NKQ, (self.levels_Q - 1) * over_NKQ).mean()
            )
        return total

    def count(self, outputs: Outputs, target: Target) -> Tensor:
        """Known rows."""
        return target["known"].sum()

    def _cost(self, value_NK: Tensor, y_NK: Tensor) -> Tensor:
        match self.cost:
            case "squared":
                return F.mse_loss(value_NK, y_NK)
            case "absolute":
                return F.l1_loss(value_NK, y_NK)
            case "huber":
                return F.huber_loss(value_NK, y_NK)
            case other:
                assert_never(other)

    def _climb(self, raw_BKQ: Tensor) -> Tensor:
        steps = F.softplus(raw_BKQ[..., 1:]).cumsum(-1)
        rising_BKQ = torch.cat([raw_BKQ[..., :1], raw_BKQ[..., :1] + steps], -1)
        return rising_BKQ[..., self.levels_Q.argsort().argsort()]
