"""Training as an iterator: batches in, one `Step` out for each change of the weights."""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.learn import processes
from modalloy.learn.augment import augment
from modalloy.learn.optimizer import build_optimizer, clip, trained
from modalloy.learn.weighting import Weighting
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.supervised import Name, Objective

AVERAGE_EVERY = 4  # steps: a look at all weights costs as much as changing them


class Step(NamedTuple):
    """One change of the weights; step counts from 1 over the whole training."""

    step: int
    losses: dict[Name, float]
    total: float
    lr: float
    rows: int
    seconds: float


@dataclass
class State:
    """All that a training changes: what a checkpoint holds."""

    model: Model
    weighting: Weighting
    optimizer: torch.optim.Optimizer
    average: dict[str, Tensor]  # moving average of the weights; empty without `ema`
    steps: int  # planned, for the schedule
    step: int = 0

    @classmethod
    def begin(cls, model: Model, job: config.Job, steps: int) -> "State":
        """Fresh optimiser and schedule for a model."""
        weighting = Weighting(job).to(model.device)
        average = {n: p.detach().clone() for n, p in trained(model)} if job.train.ema else {}
        return cls(model, weighting, build_optimizer(model, weighting, job.train), average, steps)


def fit(
    state: State,
    objective: Objective,
    batches: Iterable[Batch],
    job: config.Job,
    *,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Step]:
    """Train on each batch once and say what happened.

    All randomness of a step comes from (job.seed, step, rank): a training that was interrupted and
    resumed goes on with the very same numbers. Of several processes each sees its share of a batch;
    losses and steps are those of the whole batch. JobError when the loss is no longer finite.
    """
    for batch in batches:
        start = time.perf_counter()
        state.model.train()
        torch.manual_seed((job.seed * 1_000_003 + state.step) * 64 + rank)
        batch = augment(batch, job)
        losses = processes.mean_losses(objective(state.model, batch), world)
        total = state.weighting(losses)
        if not torch.isfinite(total):
            raise JobError(lost(state.step + 1, total.item(), job.train))
        total.backward()
        if world > 1 and not len(batch.rows):  # a guest's zeros are no gradients
            state.optimizer.zero_grad(set_to_none=True)
        lr = change(state, job.train, world)
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


def change(state: State, settings: config.Train, world: int) -> float:
    """One step of the optimiser at the scheduled rate; returns that rate for new parts."""
    parameters = [p for g in state.optimizer.param_groups for p in g["params"]]
    processes.average_gradients(parameters, world)
    clip(parameters, settings.clip)
    factor = schedule(state.step, state.steps, settings.warmup)
    for group in state.optimizer.param_groups:
        group["lr"] = group["top_lr"] * factor
    state.optimizer.step()
    state.optimizer.zero_grad(set_to_none=True)
    state.step += 1
    if state.average and state.step % AVERAGE_EVERY == 0:
        looks = state.step // AVERAGE_EVERY
        # A short warm-up, so that the first average is not the random start.
        decay = min(settings.ema**AVERAGE_EVERY, (1 + looks) / (10 + looks))
        with torch.no_grad():
            for name, p in trained(state.model):
                state.average[name].lerp_(p, 1 - decay)
    return settings.lr * factor


def schedule(step: int, steps: int, warmup: float) -> float:
    """Share of the highest rate: a straight climb, then a half cosine down to zero."""
    climb = max(1, round(steps * warmup))
    if step < climb:
        return (step + 1) / climb
    done = (step - climb) / max(1, steps - climb)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
