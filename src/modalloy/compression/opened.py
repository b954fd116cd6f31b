"""Looks inside a model while it answers rows: what its layers read, and the gradients of that."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from modalloy.errors import JobError
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Objective

MOST_NUMBERS = 64_000_000  # of all moments that are added up in one pass over the rows: 256 MB


@contextmanager
def reading(model: nn.Module, named: Mapping[str, Callable[[Tensor], Tensor | None]]) -> Iterator:
    """Show what these modules read each time they run; what is answered takes its place.

    named: a module's name, and what is to be done with its first argument.
    """
    with ExitStack() as stack:
        for name, do in named.items():

            def hook(_: nn.Module, args: tuple, do: Callable = do) -> tuple | None:
                instead = do(args[0])
                return None if instead is None else (instead, *args[1:])

            handle = model.get_submodule(name).register_forward_pre_hook(hook)
            stack.callback(handle.remove)
        yield


@contextmanager
def everything_learns(model: Model) -> Iterator[None]:
    """Let gradients reach all of a model, frozen trunks as well, and put it back afterwards."""
    frozen = [p for p in model.parameters() if not p.requires_grad and p.is_floating_point()]
    opened = {name: encoder.opened for name, encoder in model.encoders.items()}
    try:
        for p in frozen:
            p.requires_grad_(True)
        for encoder in model.encoders.values():
            encoder.opened = True
        yield
    finally:
        model.zero_grad(set_to_none=True)
        for p in frozen:
            p.requires_grad_(False)
        for name, encoder in model.encoders.items():
            encoder.opened = opened[name]


def contributions(
    model: Model, rows: Sequence[Batch], seen: Mapping[str, bool], objective: Objective[Model]
) -> dict[str, Tensor]:
    """How much each feature that a module reads adds to the loss of each row, (R, F): activation
    times gradient, summed over the row's places, rows of all batches one after the other.

    The first-order change of the loss if the feature were zero. seen: modules, and whether what one
    reads is a map whose channels are the features. JobError where no row has an answer.
    """
    found: dict[str, list[Tensor]] = {name: [] for name in seen}
    known = False
    for batch in rows:
        read: list[tuple[str, Tensor]] = []

        def keep(name: str, x: Tensor, read: list = read) -> None:
            if x.requires_grad:
                x.retain_grad()
                read.append((name, x))

        looked = {name: lambda x, name=name: keep(name, x) for name in seen}
        with reading(model, looked), everything_learns(model), torch.enable_grad():
            losses = objective(model, batch)
            total = torch.stack([loss.float() for loss in losses.values()]).sum()
            if not total.requires_grad:
                continue
            total.backward()
        for name, x in read:
            if x.grad is not None:
                found[name].append(of_rows(x * x.grad, len(batch), seen[name]))
        known = known or bool(read)
    if not known or not any(x.any() for some in found.values() for x in some):
        raise JobError(
            "no row that was given to look at has an answer, so nothing says which parts matter; "
            "give labelled rows, or go by magnitude"
        )
    return {name: torch.cat(some) for name, some in found.items() if some}


def of_rows(x: Tensor, rows: int, channels: bool) -> Tensor:
    """Features of each row, (R, F), summed over its places. rows: of the batch, which divide the
    mean loss.
    """
    x = x.detach()
    x = x.movedim(1, -1) if channels else x
    return rows * x.flatten(1, -2).sum(1) if x.ndim > 2 else rows * x


def features_last(x: Tensor, *, channels: bool) -> Tensor:
    """What a layer reads as (N, F), places of all rows one after the other."""
    return (x.movedim(1, -1) if channels else x).flatten(0, -2)


@torch.no_grad()
def moments(
    model: Model, rows: Sequence[Batch], sizes: Mapping[str, tuple[int, bool]]
) -> Iterator[tuple[str, Tensor]]:
    """The mean of x x^T over all places that each module reads, (F + 1, F + 1) with x's last entry
    one; a few modules a pass over the rows, so that memory stays bounded.

    sizes: module -> features that it reads, and whether these are the channels of a map. Modules
    that no row reaches are left out.
    """
    for some in passes(sizes):
        sums = {n: torch.zeros(sizes[n][0] + 1, sizes[n][0] + 1) for n in some}
        counts = dict.fromkeys(some, 0)

        def add(name: str, x: Tensor, sums: dict = sums, counts: dict = counts) -> None:
            x_NF = features_last(x.detach(), channels=sizes[name][1]).float()
            x_NF = torch.cat([x_NF, x_NF.new_ones(len(x_NF), 1)], 1)
            sums[name] += (x_NF.T @ x_NF).to(sums[name].device)
            counts[name] += len(x_NF)

        looked = {name: lambda x, name=name: add(name, x) for name in some}
        with reading(model, looked):
            for batch in rows:
                model(batch)
        yield from ((n, sums[n] / counts[n]) for n in some if counts[n])


def passes(sizes: Mapping[str, tuple[int, bool]]) -> Iterator[list[str]]:
    """Modules in groups whose moments fit into memory together."""
    group: list[str] = []
    held = 0
    for name, (size, _) in sizes.items():
        if group and held + size**2 > MOST_NUMBERS:
            yield group
            group, held = [], 0
        group.append(name)
        held += size**2
    if group:
        yield group
