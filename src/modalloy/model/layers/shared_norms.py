"""Batch norms over the rows of all processes that train one model together.

Norms that learn from the rows of a batch must see the rows of all processes, or the model would
depend on how many there are. A process whose rows lack an input still takes part: it runs the
encoder on a row that counts for nothing, because the others wait for its figures.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


class Shared:
    """A module whose figures are those of all rows of a batch, wherever they are.

    together: several processes train. guest: the rows that come now count for nothing.
    """

    together: bool = False
    guest: bool = False


class Partaker(Shared):
    """A module that holds such modules: it runs wherever another process runs it."""


class Total(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradients are added up alike."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """The same shape."""
        return added_up(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """The same shape."""
        return added_up(gradients[0])


def total(x: Tensor) -> Tensor:
    """The sum of a tensor over all processes, with its gradient."""
    found = Total.apply(x)
    assert isinstance(found, Tensor)
    return found


def added_up(x: Tensor) -> Tensor:
    """The sum of a tensor over all processes, without a gradient."""
    summed = x.detach().clone().contiguous()
    dist.all_reduce(summed)
    return summed


def anywhere(rows: Tensor) -> bool:
    """Whether any process has at least one of these rows."""
    return bool(added_up(rows.new_tensor([len(rows)])).item())


@contextmanager
def as_guest(module: nn.Module) -> Iterator[None]:
    """For now the rows that this module sees count for nothing."""
    shared = [m for m in module.modules() if isinstance(m, Shared) and not m.guest]
    for m in shared:
        m.guest = True
    try:
        yield
    finally:
        for m in shared:
            m.guest = False


class SharedNorm(Shared, nn.modules.batchnorm._BatchNorm):
    """Batch norm over the rows of all processes (as nn.SyncBatchNorm, on processors too)."""

    def forward(self, input: Tensor) -> Tensor:
        """The same shape (B, C, ...)."""
        x = input
        if not self.training:
            return super().forward(x)
        own = (x[:0] if self.guest else x).float()
        dims = [d for d in range(x.ndim) if d != 1]
        shape = [1, -1] + [1] * (x.ndim - 2)
        count = added_up(own.new_tensor([own.numel() // own.shape[1]]))
        mean_C = total(own.sum(dims)) / count
        spread_C = total((own - mean_C.view(shape)).square().sum(dims))
        variance_C = spread_C / count
        self.remember(mean_C.detach(), (spread_C / (count - 1).clamp_min(1)).detach())
        scale_C = (variance_C + self.eps).rsqrt()
        if self.weight is not None:
            scale_C = scale_C * self.weight
        z = (x.float() - mean_C.view(shape)) * scale_C.view(shape)
        if self.bias is not None:
            z = z + self.bias.view(shape)
        return z.to(x.dtype)

    def remember(self, mean_C: Tensor, variance_C: Tensor) -> None:
        """Move the running figures, as PyTorch does."""
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = self.momentum
        if share is None:
            share = 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean_C, share)
        self.running_var.lerp_(variance_C, share)


class SharedNorm1d(SharedNorm, nn.BatchNorm1d):
    """Over (B, C) or (B, C, L)."""


class SharedNorm2d(SharedNorm, nn.BatchNorm2d):
    """Over (B, C, H, W)."""


def share_figures(model: nn.Module) -> None:
    """Let the norms of a model see the rows of all processes while it trains."""
    for module in model.modules():
        if type(module) is nn.BatchNorm1d:
            module.__class__ = SharedNorm1d
        elif type(module) is nn.BatchNorm2d:
            module.__class__ = SharedNorm2d
        if isinstance(module, Shared) and not isinstance(module, Partaker):
            module.together = True
    for module in model.modules():
        if isinstance(module, Partaker):
            shared = [m for m in module.modules() if isinstance(m, Shared) and m.together]
            module.together = bool(shared)


def stand_in(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """One row of an input that any encoder can run on: ones everywhere, so that nothing is empty.

    A row that lacks the input would not do: attention over no token gives no number. Values that a
    network has made stay tied to it, for in the other processes gradients pass it on their way.
    """
    ones = {name: torch.ones_like(t[:1]) for name, t in values.items()}
    return ones | {n: ones[n] + 0.0 * t[:1] for n, t in values.items() if t.requires_grad}
