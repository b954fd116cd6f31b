"""Fits early exits to a finished model: maps by least squares, heads by cross entropy."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modalloy.errors import JobError
from modalloy.model.compressed.exits import Exit, ExitingStack, seen
from modalloy.model.compressed.stacks import tokens_of
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.hiding import has_any

RIDGE = 1e-3  # of the mean moment, added to all
DECAY = 1e-3  # of the heads' weights: rows are few beside them
STEPS = 200  # of the heads, on all rows at once


class Sums(NamedTuple):
    """Moments of a map to be fitted: of x with a last entry one, and of x and y."""

    inner: Tensor
    outer: Tensor

    @classmethod
    def of(cls, width: int) -> "Sums":
        """Of nothing yet."""
        return cls(
            torch.zeros(width + 1, width + 1, dtype=torch.float64),
            torch.zeros(width + 1, width, dtype=torch.float64),
        )

    def add(self, x_NF: Tensor, y_NF: Tensor) -> None:
        """Some more places."""
        x_NF = torch.cat([x_NF, x_NF.new_ones(len(x_NF), 1)], 1).double()
        self.inner.add_(x_NF.T @ x_NF)
        self.outer.add_(x_NF.T @ y_NF.double())


@contextmanager
def watched(module: nn.Module, look: Callable[[tuple, Tensor], None]) -> Iterator[None]:
    """Show what a module was given and what it gave, each time it runs."""
    handle = module.register_forward_hook(lambda _, args, out: look(args, out))
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def width_of(model: Model, name: str, batch: Batch) -> int:
    """Numbers of each state that a block gives."""
    widths: list[int] = []
    with watched(model.get_submodule(name), lambda _, out: widths.append(out.shape[2])):
        model(batch)
    if not widths:
        raise JobError(f"early exit: no row of the first batch has what {name} reads")
    return widths[0]


@torch.no_grad()
def states_of(model: Model, stack: ExitingStack, batch: Batch) -> tuple[list[Tensor], list]:
    """States behind each block, of all times that the blocks run in one pass, and their tokens."""
    states: list[Tensor] = []
    masks: list[Tensor | None] = []

    def look(args: tuple, out: Tensor) -> None:
        states.append(out.cpu())
        mask = tokens_of(args[1] if len(args) > 1 else None, out)
        masks.append(None if mask is None else mask.cpu())

    with ExitStack() as open_hooks:
        for block in stack.blocks:
            open_hooks.enter_context(watched(block, look))
        model(batch)
    return states, masks


def fit_exits(
    model: Model, stack: ExitingStack, name: str, batches: Sequence[Batch], truth_N: Tensor
) -> None:
    """Fit all exits of a list of blocks, in place, while no row leaves.

    name: of the input that the blocks read; rows without it are passed over. truth_N: what is
    decided of each row, numbered.
    """
    count, depth = len(stack.exits), len(stack.blocks)
    pooled: list[list[Tensor]] = [[] for _ in range(count)]
    width = stack.exits[0].get_submodule("first").get_parameter("weight").shape[0]
    sums = [(Sums.of(width), Sums.of(width)) for _ in range(count)]
    kept, start = [], 0
    for batch in batches:
        states, masks = states_of(model, stack, batch)
        own = truth_N[start : start + len(batch)][has_any(batch.present[name]).cpu()]
        start += len(batch)
        for at in range(0, len(states), depth):  # several times where pictures are turned
            kept.append(own)
            last, mask = states[at + depth - 1], masks[at]
            real = torch.ones(last.shape[:2]).bool() if mask is None else mask
            for number in range(count):
                x = states[at + number]
                pooled[number].append(seen(x, mask))
                sums[number][0].add(x[:, 0], last[:, 0])
                sums[number][1].add(x[:, 1:][real[:, 1:]], last[:, 1:][real[:, 1:]])
    for number, door in enumerate(stack.exits):
        assert isinstance(door, Exit)
        solve(door.first, sums[number][0])
        solve(door.others, sums[number][1])
        learn_head(door.head, torch.cat(pooled[number]), torch.cat(kept))


@torch.no_grad()
def solve(layer: nn.Linear, sums: Sums) -> None:
    """Set a layer to the map of least squares."""
    ridge = (
        torch.full((len(sums.inner),), RIDGE, dtype=torch.float64) * sums.inner.diagonal().mean()
    )
    ridge[-1] = 1e-9
    found = torch.linalg.solve(sums.inner + ridge.diag(), sums.outer)
    layer.weight.copy_(found[:-1].T)
    layer.bias.copy_(found[-1])


def learn_head(layer: nn.Linear, x_NF: Tensor, y_N: Tensor) -> None:
    """Fit a linear classifier: cross entropy with a little decay, by L-BFGS on standardised x."""
    mean_F, spread_F = x_NF.mean(0), x_NF.std(0, correction=0).clamp_min(1e-6)
    z_NF = (x_NF - mean_F) / spread_F
    with torch.enable_grad():
        weight = torch.zeros(layer.out_features, x_NF.shape[1], requires_grad=True)
        bias = torch.zeros(layer.out_features, requires_grad=True)
        solver = torch.optim.LBFGS([weight, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

        def cost() -> Tensor:
            solver.zero_grad()
            loss = F.cross_entropy(z_NF @ weight.T + bias, y_N) + DECAY * weight.square().sum()
            loss.backward()
            return loss

        solver.step(cost)
    with torch.no_grad():
        layer.weight.copy_(weight / spread_F)
        layer.bias.copy_(bias - (weight / spread_F) @ mean_F)
