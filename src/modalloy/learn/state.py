"""All that a training changes: model, total, optimiser, averages, and how many steps it took."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic

import torch
from torch import Tensor, nn

from modalloy.job import config
from modalloy.learn.optimizer import build_optimizer, trained
from modalloy.objectives.losses import Net

Total = Callable[[Mapping[str, Tensor]], Tensor]  # named losses -> the scalar to minimise


@dataclass
class State(Generic[Net]):
    """What a checkpoint holds.

    total: makes one number of the named losses; a module may learn how. average: moving average of
    the weights, empty without `ema`. steps: planned, for the schedule. unread: frozen weights that
    no package or folder holds, so that a checkpoint must.
    """

    model: Net
    total: Total
    optimizer: torch.optim.Optimizer
    average: dict[str, Tensor]
    steps: int
    step: int = 0
    unread: frozenset[str] = frozenset()

    @classmethod
    def begin(
        cls,
        model: Net,
        total: Total,
        settings: config.Train,
        steps: int,
    ) -> "State[Net]":
        """Fresh optimiser and schedule for a model; a total with weights comes to its device."""
        module = total if isinstance(total, nn.Module) else None
        if module is not None:
            module.to(next(model.parameters()).device)
        average = {n: p.detach().clone() for n, p in trained(model)} if settings.ema else {}
        optimizer = build_optimizer(model, module, settings)
        return cls(model, total, optimizer, average, steps)

    @property
    def module(self) -> nn.Module:
        """The total where it holds weights or figures of its own, else a module without any."""
        return self.total if isinstance(self.total, nn.Module) else nn.Module()


def kept(model: nn.Module) -> dict[str, Tensor]:
    """Weights that change (and statistics); a frozen trunk is read again from where it came."""
    frozen = {n for n, p in model.named_parameters() if not p.requires_grad}
    return {n: t for n, t in model.state_dict().items() if n not in frozen}


def shown_weights(state: State) -> dict[str, Tensor]:
    """The weights that would be kept now: the moving average where there is one."""
    weights = {n: t.detach().clone() for n, t in kept(state.model).items()}
    return weights | {n: t.clone() for n, t in state.average.items()}


@contextmanager
def averaged(state: State) -> Iterator[None]:
    """The model with its averaged weights, for the time of validation."""
    if not state.average:
        yield
        return
    held = {n: p.detach().clone() for n, p in trained(state.model)}
    state.model.load_state_dict(state.average, strict=False)
    try:
        yield
    finally:
        state.model.load_state_dict(held, strict=False)
