"""Training as an iterator: one `Step` for each batch, whatever is learned and however."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.learn import processes
from modalloy.learn.change import Change, Scheduled
from modalloy.learn.sharded import is_parted
from modalloy.learn.state import State
from modalloy.learn.weighting import Weighting
from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Net, Objective

Views = Callable[[Batch], Batch]  # the same rows, seen otherwise in each step


class Step(NamedTuple):
    """One change of the weights; step counts from 1 over the whole training."""

    step: int
    losses: dict[str, float]
    total: float
    lr: float
    rows: int
    seconds: float


def fit(
    state: State[Net],
    objective: Objective[Net],
    batches: Iterable[Batch],
    *,
    settings: config.Train,
    seed: int,
    change: Change | None = None,
    views: Views | None = None,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Step]:
    """Train on each batch once and say what happened.

    objective: any function of a model and a batch to named losses, of which `state.total` makes the
    number to minimise. change: how the weights change once their gradients are there; `Scheduled`
    by default. views: what is done to each batch first, such as augmentation.

    All randomness of a step comes from (seed, step, rank): a training that was interrupted and
    resumed goes on with the very same numbers. Of several processes each sees its share of a batch;
    losses and steps are those of the whole batch. JobError when the loss is no longer finite.
    """
    change = change or Scheduled(settings, world)
    for batch in batches:
        start = time.perf_counter()
        state.model.train()
        torch.manual_seed((seed * 1_000_003 + state.step) * 64 + rank)
        if views is not None:
            batch = views(batch)
        again = torch.initial_seed() + 1 if learns_after(state) else None
        losses = losses_of(state, objective, batch, world, again)
        total = state.total(losses)
        if not torch.isfinite(total):
            raise JobError(lost(state.step + 1, total.item(), settings))
        take_gradients(state, losses, total)
        if world > 1 and not len(batch.rows):  # a guest's zeros are no gradients
            for p in state.model.parameters():
                p.grad = p.grad if is_parted(p) else None
        lr = change(state)
        if again is not None:
            with looked_at_again(state.model):
                learn_after(state, losses_of(state, objective, batch, world, again))
        yield Step(
            state.step,
            {n: v.item() for n, v in losses.items()},
            total.item(),
            lr,
            len(batch),
            time.perf_counter() - start,
        )


def losses_of(
    state: State[Net], objective: Objective[Net], batch: Batch, world: int, again: int | None
) -> dict[str, Tensor]:
    """The losses of the whole batch. again: a seed, where they are to be asked for twice with the
    same chance in them."""
    if again is not None:
        torch.manual_seed(again)
    return processes.mean_losses(objective(state.model, batch), world)


@contextmanager
def looked_at_again(model: nn.Module) -> Iterator[None]:
    """A second look at a batch: running figures, such as batch norms', count it once."""
    held = {name: buffer.clone() for name, buffer in model.named_buffers()}
    try:
        yield
    finally:
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                buffer.copy_(held[name])


def learns_after(state: State[Net]) -> bool:
    """Whether the total learns from what a step has changed, as `famo` does."""
    return isinstance(state.total, Weighting) and state.total.famo is not None


def learn_after(state: State[Net], losses: Mapping[str, Tensor]) -> None:
    """Tell the total what the same losses are now."""
    assert isinstance(state.total, Weighting)
    state.total.learn(losses)


def take_gradients(state: State[Net], losses: Mapping[str, Tensor], total: Tensor) -> None:
    """Gradients of the total, or of each task's loss where the total puts these together."""
    if isinstance(state.total, Weighting) and state.total.projects:
        state.total.backward(losses, state.model)
    else:
        total.backward()


def lost(step: int, loss: float, settings: config.Train) -> str:
    """What to say of a training whose loss is no longer a number."""
    return (
        f"the loss is {loss} at step {step}, so nothing more can be learned. Lower train.lr "
        f"({settings.lr:g}), train.encoder_lr ({settings.encoder_lr:g}) or train.clip "
        f"({settings.clip:g}), or give a number with a few huge values `scale: log`; then start "
        "anew in another run directory."
    )
