"""One round at a site: passes over its own rows from the round's weights, and what changed."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from modalloy.answer.loader import Loader
from modalloy.federation.travelling import Arrays, weights_of
from modalloy.job import config
from modalloy.job.steps import course, steps_a_pass
from modalloy.learn.augment import augmenting
from modalloy.learn.change import Scheduled
from modalloy.learn.epoch_order import epoch_order
from modalloy.learn.fit import fit
from modalloy.learn.state import State
from modalloy.learn.train import own_batches
from modalloy.learn.weighting import Weighting
from modalloy.model.model import Model, essential_inputs
from modalloy.objectives.hiding import hiding
from modalloy.objectives.supervised import supervised


class Learned(NamedTuple):
    """What a round gave. change: of the weights that any gradient reached. loss: mean of its steps,
    None where it is private. gradient: mean of each weight's, for controls."""

    change: Arrays
    loss: float | None
    steps: int
    gradient: Arrays


@dataclass
class Corrections:
    """What is added to a site's gradients, and what is kept of them.

    start: the round's weights, which FedProx pulls back to. shift: what SCAFFOLD adds, the control
    of all less the site's own. reached: weights that had a gradient.
    """

    names: set[str]
    proximal: float
    start: dict[str, torch.Tensor]
    shift: dict[str, torch.Tensor]
    summed: dict[str, torch.Tensor] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)

    @torch.no_grad()
    def __call__(self, state: State[Model]) -> None:
        """Note gradients as they came, then correct them."""
        for name, p in state.model.named_parameters():
            if p.grad is None or name not in self.names:
                continue
            if p.grad.is_sparse:
                p.grad = p.grad.to_dense()
            if name not in self.reached and bool(p.grad.any()):
                self.reached.add(name)
            if self.shift:
                self.summed[name] = self.summed.get(name, torch.zeros_like(p)) + p.grad
                p.grad += self.shift[name]
            if self.proximal:
                p.grad += self.proximal * (p - self.start[name])


def learn_round(
    model: Model,
    loader: Loader,
    rows: np.ndarray,
    job: config.Job,
    *,
    site: str,
    number: int,
    names: list[str],
    shift: Arrays | None = None,
) -> Learned:
    """Learn from some rows in place, and what became of the weights of these names.

    number: of the round, from 1; the rate falls over all rounds as over the passes of a training.
    All randomness comes from the job's seed, the site and the round.
    """
    options = job.federate
    way = course(job, len(rows))
    batch = way.batch
    passes_of = way.epochs / options.rounds if options.epochs == "auto" else options.epochs
    steps = max(1, math.ceil(passes_of * steps_a_pass(len(rows), batch)))
    settings = job.train.model_copy(update={"ema": 0.0})
    state = State.begin(model, Weighting(job), settings, options.rounds * steps)
    state.step = (number - 1) * steps
    before = weights_of(model, names)
    start = {n: torch.from_numpy(x).to(model.device) for n, x in before.items()}
    moved = {n: torch.from_numpy(x).to(model.device) for n, x in (shift or {}).items()}
    corrections = Corrections(set(names), options.proximal, start, moved)
    change = Scheduled(settings, before=corrections)
    objective = hiding(supervised, chance=job.fuse.modality_dropout, keep=essential_inputs(job))
    seed = seed_of(job.seed, site)
    lengths = loader.lengths(rows)
    losses = []
    for some in passes(rows, batch, seed, number, lengths, steps):
        batches = own_batches(loader, some, 0, 1, model.device)
        given = {"settings": settings, "seed": seed, "change": change, "views": augmenting(job)}
        losses += [step.total for step in fit(state, objective, batches, **given)]
    model.eval()
    after = weights_of(model, names)
    figures = {n for n in names if n.endswith((".running_mean", ".running_var"))}
    sent = [n for n in names if n in corrections.reached or n in figures]
    mean = {n: (x / len(losses)).cpu().numpy() for n, x in corrections.summed.items()}
    changed = {n: after[n] - before[n] for n in sent}
    return Learned(changed, float(np.mean(losses)), len(losses), mean)


def passes(
    rows: np.ndarray,
    batch: int,
    seed: int,
    number: int,
    lengths: np.ndarray | None,
    steps: int,
) -> Iterator[list[np.ndarray]]:
    """The batches of a round, pass by pass, so many in all."""
    done, again = 0, 0
    while done < steps:
        order = epoch_order(rows, batch, seed, number * 1000 + again, lengths)[: steps - done]
        yield order
        done, again = done + len(order), again + 1


def seed_of(seed: int, site: str) -> int:
    """A seed of a site's own, the same in every process."""
    digest = hashlib.sha256(f"{seed} {site}".encode()).digest()
    return int.from_bytes(digest[:4], "little")
