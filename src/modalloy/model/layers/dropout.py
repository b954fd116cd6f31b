"""Dropout whose random numbers cost an eighth on a processor."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """Zero each entry with chance p and scale the rest up (Srivastava et al. 2014).

    On a CPU one 64-bit draw serves eight entries, so p is taken to the nearest 1/256; drawing a
    number for each entry took an eighth of a text encoder's training step.
    """
    if not training or p == 0.0:
        return x
    if x.device.type != "cpu":
        return F.dropout(x, p)
    threshold = max(1, round(p * 256))
    draws = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
    kept = (draws.view(torch.uint8)[: x.numel()] >= threshold).view(x.shape)
    return x * kept.to(x.dtype).mul_(256 / (256 - threshold))


class Dropout(nn.Module):
    """The same as a module."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return dropout(x, self.p, self.training)


def replace_dropout(module: nn.Module) -> None:
    """Put this dropout in place of every `nn.Dropout` inside a module, in the same mode."""
    for name, child in module.named_children():
        if isinstance(child, nn.Dropout):
            setattr(module, name, Dropout(child.p).train(child.training))
        else:
            replace_dropout(child)
