"""One fused summary in, logits of classes out: one class a row, or any number of labels."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from modalloy.job import config
from modalloy.model.tasks.linear import MemberLinear
from modalloy.model.tasks.task import Outputs, Target, Task
from modalloy.model.tokens import Batch, Fused, Tokens


class Classify(Task):
    """Logits a class and member; cross entropy, or binary cross entropy with several labels."""

    def __init__(
        self,
        name: str,
        options: config.Classify,
        target: Any,
        width: int,
        members: int,
        label_smoothing: float,
    ) -> None:
        super().__init__(name)
        self.multi = options.labels == "multi"
        self.smoothing = label_smoothing
        self.head = MemberLinear(members, width, len(target.names))
        weights = None
        if options.class_weights == "balanced":
            weights = balance(target.counts)
        self.register_buffer("weight_C", weights, persistent=False)  # the target reader keeps it

    @classmethod
    def build(
        cls,
        name: str,
        options: config.Classify,
        target: Any,
        width: int,
        members: int,
        *,
        label_smoothing: float,
        channels: Mapping[str, Sequence[int]],
    ) -> Self:
        """The head of one task; see `build_task`."""
        return cls(name, options, target, width, members, label_smoothing)

    def forward(self, fused: Fused, tokens: Mapping[str, Tokens], batch: Batch) -> Outputs:
        """`logits`, (B, K, C)."""
        return {"logits": self.head(fused.summary_BKD)}

    def loss(self, outputs: Outputs, target: Target) -> Tensor:
        """Mean over known rows and over members, each of which learns on its own."""
        known = target["known"]
        logits_NKC = outputs["logits"].float()[known]
        if not len(logits_NKC):
            return logits_NKC.sum()
        y = target["y"][known].unsqueeze(1)
        if self.multi:
            return self._binary_loss(logits_NKC, y.expand_as(logits_NKC).float())
        y_NK = y.expand(logits_NKC.shape[:2])
        return F.cross_entropy(
            logits_NKC.flatten(0, 1),
            y_NK.flatten(),
            weight=self.weight_C,
            label_smoothing=self.smoothing,
        )

    def count(self, outputs: Outputs, target: Target) -> Tensor:
        """Known rows, or the weights of their classes."""
        known, y = target["known"], target["y"]
        if self.multi or self.weight_C is None:
            return known.sum()
        return self.weight_C[y[known]].sum()

    def _binary_loss(self, logits_NKC: Tensor, y_NKC: Tensor) -> Tensor:
        y_NKC = y_NKC * (1 - self.smoothing) + self.smoothing / 2
        return F.binary_cross_entropy_with_logits(logits_NKC, y_NKC, weight=self.weight_C)


def balance(counts: Any) -> Tensor:
    """Weights inverse to the classes' shares, with mean 1 over rows: (C,)."""
    count_C = torch.as_tensor(counts, dtype=torch.float32).clamp_min(1.0)
    return count_C.sum() / (len(count_C) * count_C)
