"""Steps of private learning: units drawn by chance, their gradients clipped, added up and noised
(DP-SGD, Abadi et al. 2016, 1607.00133), then given to the optimiser as any gradient is.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from modalloy.answer.loader import Loader
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.job.private import Private
from modalloy.learn.change import Change, Scheduled
from modalloy.learn.fit import Step, lost
from modalloy.learn.optimizer import trained
from modalloy.learn.state import State
from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Net, Objective
from modalloy.privacy.accountant import Plan
from modalloy.privacy.per_sample import Gradients, Named, PerSample, per_sample, rows_held
from modalloy.privacy.units import Units, in_chunks

Views = Callable[[Batch], Batch]  # the same rows, each seen otherwise by chance of its own
NEVER = 1e30  # length that no gradient has: what is noised is shortened no more
READ_ROWS = 256  # at once, of like length


def private_steps(
    state: State[Net],
    objective: Objective[Net],
    loader: Loader,
    units: Units,
    plan: Plan,
    *,
    clip: float,
    settings: config.Train,
    secret: int,
    change: Change | None = None,
    views: Views | None = None,
    way: PerSample[Net] | None = None,
) -> Iterator[Step]:
    """Train for as many steps as the plan has and say what happened, as `fit` does.

    A step draws each unit with the plan's chance; the gradient of a unit, the mean of its rows', is
    shortened to `clip`; noise of plan.multiplier times `clip` comes on their sum, which is divided
    by how many units are expected, not by how many came. A step that draws nothing is made of noise
    alone. change: as in `fit`; it sees noised gradients only, and so do AdaLoRA's scores. views:
    as in `fit`, as far as each row's depends on no other. way: how gradients are taken, as
    `per_sample` finds it out. settings: as `private_settings` makes them, of the state too.

    secret: of all chance. Whoever knows it can take the noise off, and a secret that serves two
    trainings of the same step tells their difference: `secrets.randbits(63)` at each start, kept
    where the rows are. Losses and rows of a step are of the rows as they are: what the promise does
    not cover, and must not leave with the weights.

    JobError when a loss is no longer finite, and where the plan is of another number of steps. The
    state's total must be `private_total`: others look at rows.
    """
    if state.steps != plan.steps:
        raise JobError(
            f"noise was reckoned for {plan.steps} steps, and {state.steps} are planned; ask for a "
            "plan of as many"
        )
    change, device = change or Scheduled(settings), next(state.model.parameters()).device
    while state.step < state.steps:
        start, at = time.perf_counter(), state.step
        drawn = units.draw(plan.rate, np.random.default_rng([secret, at]))
        torch.manual_seed(seed_of(secret, at, "views"))
        sums = Sums(state, clip)
        for chunk in read(loader, drawn, min(READ_ROWS, rows_held(state.model))):
            batch = Batch.of(loader.batch(np.concatenate(chunk)), device)
            batch = batch if views is None else views(batch)
            way = way or per_sample(state.model, objective, state.total, batch)
            sums.add_chunk(way, batch, chunk)
        if not np.isfinite(sums.total):
            raise JobError(lost(at + 1, sums.total, settings))
        noise = torch.Generator().manual_seed(seed_of(secret, at, "noise"))
        sums.give(clip * plan.multiplier, plan.rate * len(units), noise)
        lr = change(state)
        seconds = time.perf_counter() - start
        yield Step(state.step, sums.mean_losses(), sums.mean_total(), lr, sums.rows, seconds)


def private_settings(settings: config.Train, options: Private) -> config.Train:
    """How a private training changes weights: SGD at `private.lr` without decay, gradients as they
    were noised.
    """
    changes = {
        "optimizer": "sgd",
        "lr": options.lr,
        "encoder_lr": options.lr / 10 if options.encoder_lr is None else options.encoder_lr,
        "weight_decay": 0.0,
        "clip": NEVER,
    }
    return settings.model_copy(update=changes)


class Sums:
    """What the units of one step say together. total: sum of the losses of all rows."""

    def __init__(self, state: State[Net], clip: float) -> None:
        self.learned = dict(trained(state.model))
        self.clip = clip
        self.by_name = {n: torch.zeros_like(p) for n, p in self.learned.items()}
        self.losses: dict[str, float] = {}
        self.rows, self.total = 0, 0.0

    def add_chunk(self, way: PerSample[Net], batch: Batch, units: Sequence[np.ndarray]) -> None:
        """Add the units of one batch, whose rows stand one after the other."""
        found = way.of(batch)
        owner_B = np.repeat(np.arange(len(units)), [len(rows) for rows in units])
        for name, total in clipped_sum(found, torch.from_numpy(owner_B), self.clip).items():
            self.by_name[name] += total
        for name, loss_B in found.losses.items():
            self.losses[name] = self.losses.get(name, 0.0) + float(loss_B.sum())
        self.rows += len(batch)
        self.total += float(found.total_B.sum())

    @torch.no_grad()
    def give(self, deviation: float, expected: float, noise: torch.Generator) -> None:
        """Give every parameter its noised gradient, in the order of their names."""
        for name in sorted(self.learned):
            p, total = self.learned[name], self.by_name[name]
            drawn = torch.randn(p.shape, generator=noise).to(total)
            p.grad = (total + deviation * drawn) / expected

    def mean_losses(self) -> dict[str, float]:
        """Of the rows drawn, by name."""
        return {name: loss / max(1, self.rows) for name, loss in self.losses.items()}

    def mean_total(self) -> float:
        """Of the rows drawn."""
        return self.total / max(1, self.rows)


def clipped_sum(found: Gradients, owner_B: Tensor, clip: float) -> Named:
    """The gradients of units, each the mean of its rows' and shortened to `clip`, added up.

    owner_B: number of the unit of each row, from 0 without gaps.
    """
    count_U = torch.bincount(owner_B).to(found.total_B)
    own = len(count_U) == len(owner_B)  # each row for itself
    by_unit = (
        found.by_name if own else {n: means(g, owner_B, count_U) for n, g in found.by_name.items()}
    )
    squares = torch.stack([g.flatten(1).square().sum(1) for g in by_unit.values()])
    length_U = squares.sum(0).sqrt()
    if not bool(torch.isfinite(length_U).all()):
        raise JobError(
            "the gradient of a row is no number, and no shortening bounds that; lower private.lr, "
            "or give a number with a few huge values `scale: log`"
        )
    factor_U = (clip / length_U.clamp_min(1e-12)).clamp(max=1.0)
    return {n: torch.einsum("u...,u->...", g, factor_U.to(g)) for n, g in by_unit.items()}


def means(gradient: Tensor, owner_B: Tensor, count_U: Tensor) -> Tensor:
    """Mean gradient of the rows of each unit, (U, ...)."""
    total = gradient.new_zeros(len(count_U), *gradient.shape[1:])
    total.index_add_(0, owner_B.to(gradient.device), gradient)
    return total / count_U.to(gradient).reshape(-1, *(1 for _ in gradient.shape[1:]))


def read(loader: Loader, drawn: list[np.ndarray], at_once: int) -> Iterator[list[np.ndarray]]:
    """Units of one step in groups of so many rows to be read together, of like length."""
    if not drawn:
        return
    length_B = loader.lengths(np.concatenate(drawn))
    if length_B is not None:
        ends = np.cumsum([len(rows) for rows in drawn])[:-1]
        longest = [int(some.max()) for some in np.split(length_B, ends)]
        drawn = [drawn[i] for i in np.argsort(longest, kind="stable")]
    yield from in_chunks(drawn, at_once)


def seed_of(secret: int, step: int, what: str) -> int:
    """A seed of its own for each use in each step."""
    text = f"{secret} {step} {what}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=7).digest())
