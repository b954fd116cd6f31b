"""Training as an iterator: one `Step` for each batch, whatever is learned and however."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.learn import processes
from modalloy.learn.change import Change, Scheduled
from modalloy.learn.sharded import is_parted
from modalloy.learn.state import State
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
        losses = processes.mean_losses(objective(state.model, batch), world)
        total = state.total(losses)
        if not torch.isfinite(total):
            raise JobError(lost(state.step + 1, total.item(), settings))
        total.backward()
        if world > 1 and not len(batch.rows):  # a guest's zeros are no gradients
            for p in state.model.parameters():
                p.grad = p.grad if is_parted(p) else None
        lr = change(state)
        yield Step(
            state.step,
            {n: v.item() for n, v in losses.items()},
            total.item(),
            lr,
            len(batch),
            time.perf_counter() - start,
        )


def lost(step: int, loss: float, settings: config.Train) -> str:
    """What to say of a training whose loss is no longer a number."""
    return (
        f"the loss is {loss} at step {step}, so nothing more can be learned. Lower train.lr "
        f"({settings.lr:g}), train.encoder_lr ({settings.encoder_lr:g}) or train.clip "
        f"({settings.clip:g}), or give a number with a few huge values `scale: log`; then start "
        "anew in another run directory."
    )
