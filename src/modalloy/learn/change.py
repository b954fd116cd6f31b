"""How a step changes the weights: gradients shared and clipped, a scheduled rate, an average."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from modalloy.job import config
from modalloy.learn import processes
from modalloy.learn.optimizer import clip, trained
from modalloy.learn.state import State

AVERAGE_EVERY = 4  # steps: a look at all weights costs as much as changing them
SHORT = 1000  # steps of a training below which every one of them counts, and they cost little

Change = Callable[[State], float]  # takes gradients as they came; answers the rate of this step


@dataclass(frozen=True)
class Scheduled:
    """One step of the optimiser: what a training does unless a verb has another way.

    Gradients are averaged over processes and shortened to `clip`; the rate climbs and falls
    (`schedule`); the moving average follows. before, after: what a way of learning does with the
    gradients as they came, and with the changed weights while they are still there.
    """

    settings: config.Train
    world: int = 1
    before: Callable[[State], None] | None = None
    after: Callable[[State], None] | None = None

    def __call__(self, state: State) -> float:
        """Change the weights, use the gradients up and count the step; the rate of new parts."""
        if self.before is not None:
            self.before(state)
        parameters = [p for g in state.optimizer.param_groups for p in g["params"]]
        processes.average_gradients(parameters, self.world)
        clip(parameters, self.settings.clip)
        factor = schedule(state.step, state.steps, self.settings.warmup)
        for group in state.optimizer.param_groups:
            group["lr"] = group["top_lr"] * factor
        state.optimizer.step()
        if self.after is not None:
            self.after(state)
        state.optimizer.zero_grad(set_to_none=True)
        state.step += 1
        every = 1 if state.steps < SHORT else AVERAGE_EVERY
        if state.average and state.step % every == 0:
            follow(state, self.settings.ema, every)
        return self.settings.lr * factor


@torch.no_grad()
def follow(state: State, ema: float, every: int) -> None:
    """Move the average towards the weights, each `every` steps.

    It reaches over a tenth of the steps that are done, or over 1 / (1 - ema) where these are fewer:
    else it were mostly the random start.
    """
    moves = state.step // every
    decay = min(ema**every, (1 + moves) / (10 + moves))
    for name, p in trained(state.model):
        state.average[name].lerp_(p, 1 - decay)


def schedule(step: int, steps: int, warmup: float) -> float:
    """Share of the highest rate: a straight climb, then a half cosine down to zero."""
    climb = max(1, round(steps * warmup))
    if step < climb:
        return (step + 1) / climb
    done = (step - climb) / max(1, steps - climb)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
