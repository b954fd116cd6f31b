"""A whole training by one plan: epochs, looks at validation rows, checkpoints, patience.

Interrupted, it goes on anywhere.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modalloy.answer.loader import Loader
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.job.steps import LOOK, LOOKS, Course, course
from modalloy.judge.validate import MOST_ROWS
from modalloy.learn import processes
from modalloy.learn.clock import Clock
from modalloy.learn.epoch_order import epoch_order
from modalloy.learn.fit import Step, fit
from modalloy.learn.phase import WHOLE, Phase, Watch
from modalloy.learn.plan import Plan, supervised_plan
from modalloy.learn.precision import choose_precision, set_up
from modalloy.learn.progress import Progress, restore, store, write_log
from modalloy.learn.sharded import gather, put_together, shard, sharded_blocks
from modalloy.learn.state import State, averaged, shown_weights
from modalloy.learn.weighting import Weighting
from modalloy.machine.progress import Bar
from modalloy.model.body import Body
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.pretext import Pretraining
from modalloy.runs.start import Started
from modalloy.table.split import Parts

SAVE_EVERY_S = 120.0
Trainee = Model | Pretraining


def train_model(
    model: Trainee,
    loader: Loader,
    parts: Parts,
    job: config.Job,
    out: Path,
    *,
    plan: Plan[Any] | None = None,
    started: Started | None = None,
    resume: bool = False,
    quiet: bool = False,
    like: Progress | None = None,
    phase: Phase = WHOLE,
    watch: Watch | None = None,
    now: Callable[[], float] = time.perf_counter,
) -> Progress:
    """Train a model in place, on the device where it lies, and leave it with its best weights.

    Writes a log and checkpoints under `out`. With `resume` and the same job, an interrupted
    training ends with the same weights, bit for bit, as one that was never interrupted. Ctrl-C
    stops after the current step and keeps the best weights so far.

    plan: what is learned and how; `supervised_plan` by default. started: what the model has from an
        earlier run, for checkpoints to keep. phase: which part of a training this is.
    like: an earlier training to repeat with other rows: as many epochs as its best one, on its
        schedule and with its precision.
    watch: asked after each look whether to go on; what it raises ends the training.
    now: seconds of the clock that `minutes` are told by.
    """
    rank, world = processes.start()
    plan = plan or plan_of(model, loader, parts)
    one_process(plan, world)
    way = course_like(job, len(parts.train), like, tuned=phase.before is not None)
    path = None if phase.checkpoint is None else out / phase.checkpoint
    log = out / phase.log
    state = begin_state(model, plan, job, way.steps, world, started)
    if resume and path is not None and path.is_file():
        best, notes = restore(path, state, job)
    else:
        notes = choose_precision(state, plan, loader, parts.train, job, way, world, like)
        best = take_over(state, notes, started or phase.before, job)
    set_up(model, notes, world)
    minutes = None if job.train.minutes is None else phase.share * job.train.minutes
    clock = Clock(minutes, now() - notes.seconds, now, world)
    epochs = like.best_epoch + 1 if like else way.epochs
    told = None if watch is None else partial(watch, notes, phase)
    given = (job, plan, loader, parts, way, epochs, clock, path, log, phase.still, told)
    going = Going(*given, state=state, notes=notes, best=best, rank=rank, world=world)
    with Bar(phase.title, way.per_epoch * epochs, quiet=quiet or rank > 0) as bar:
        bar.advance(state.step)
        try:
            go_on(going, bar)
        except KeyboardInterrupt:
            notes.interrupted = True
            bar.advance(0, "interrupted: keeping the best weights so far")
    freeze_trunks(model, False)
    model.load_state_dict(going.best or shown_weights(state), strict=False)
    gather(model.body)
    return notes


def plan_of(model: Trainee, loader: Loader, parts: Parts) -> Plan[Any]:
    """How a model with tasks learns where nothing else is said."""
    assert isinstance(model, Model), "a network without tasks brings its plan"
    return supervised_plan(model, loader, parts.validation)


@dataclass
class Going:
    """A training on its way: what it goes by, and what changes (state, notes, best weights)."""

    job: config.Job
    plan: Plan[Any]
    loader: Loader
    parts: Parts
    way: Course
    epochs: int
    clock: Clock
    path: Path | None
    log: Path
    still: bool
    told: Callable[[], None] | None
    state: State[Any]
    notes: Progress
    best: dict[str, Tensor]
    rank: int
    world: int

    @property
    def shared(self) -> bool:
        """Whether weights are shared out, so that all processes have to give their parts of a
        checkpoint; it is then written after looks alone."""
        return self.world > 1 and bool(sharded_blocks(self.state.model))

    def keep(self) -> float:
        """Write a checkpoint where one is wanted; the seconds of the training until now."""
        if self.path is not None:
            given = (self.path, self.state, self.best, self.notes, self.job, self.clock.seconds())
            store(*given, self.rank == 0)
        return self.clock.seconds()


def go_on(going: Going, bar: Bar) -> None:
    """Pass after pass until the training has ended, with looks and checkpoints between them."""
    job, state, notes, clock = going.job, going.state, going.notes, going.clock
    rank, world, rows, model = going.rank, going.world, going.parts.train, going.state.model
    lengths, batch = going.loader.lengths(rows), going.way.batch
    judged = min(MOST_ROWS, len(going.parts.validation)) / batch
    saved = clock.seconds()
    while not ended(notes, going.epochs, job):
        freeze_trunks(model, going.still or notes.epoch < job.train.freeze_epochs)
        order = epoch_order(rows, batch, job.seed, notes.epoch, lengths)
        batches = own_batches(going.loader, order[notes.position :], rank, world, model.device)
        for step in steps_of(going.plan, state, batches, job, rank, world):
            clock.replan(state, notes, judged)
            if clock.minutes is not None:
                bar.plan(state.steps)
            bar.advance(note=count(step, notes))
            if notes.over:
                break
            if rank == 0 and not going.shared and clock.seconds() - saved > SAVE_EVERY_S:
                saved = going.keep()
        processes.same_everywhere(model.buffers(), world)
        notes.epoch, notes.position = notes.epoch + 1, 0
        if look_due(state, notes, going.epochs, going.way, job):
            look_now = partial(look, state, going.plan, job, notes, going.best)
            going.best = clock.timed(notes, look_now)
            if rank == 0:
                write_log(going.log, notes)
            if rank == 0 or going.shared:
                saved = going.keep()
            if going.told is not None:
                going.told()


def steps_of(
    plan: Plan[Any],
    state: State[Any],
    batches: Iterator[Batch],
    job: config.Job,
    rank: int,
    world: int,
) -> Iterator[Step]:
    """The steps of one epoch, by the plan."""
    return fit(
        state,
        plan.objective,
        batches,
        settings=job.train,
        seed=job.seed,
        change=plan.change,
        views=plan.views,
        rank=rank,
        world=world,
    )


def course_like(
    job: config.Job, rows: int, like: Progress | None, *, tuned: bool = False
) -> Course:
    """The course of a job over so many rows, with the batch and passes of an earlier training.

    tuned: of the part that goes on from frozen encoders.
    """
    if like is None:
        return course(job, rows, tuned=tuned)
    settings = job.train.model_copy(update={"batch": like.batch, "epochs": like.epochs})
    return course(job.model_copy(update={"train": settings}), rows)


def one_process(plan: Plan[Any], world: int) -> None:
    """JobError where several processes cannot learn by a plan."""
    if world > 1 and isinstance(plan.total, Weighting) and plan.total.projects:
        raise JobError(
            "train.weighting: pcgrad projects gradients of whole batches, and of several processes "
            "each has those of its share; take famo, or train in one process."
        )


def begin_state(
    model: Trainee,
    plan: Plan[Any],
    job: config.Job,
    steps: int,
    world: int,
    started: Started | None,
) -> State[Any]:
    """The state before the first step, in every process with the first one's weights."""
    processes.same_everywhere(model.state_dict().values(), world)
    if job.train.shard:
        shard(model.body, world)
    state = State.begin(model, plan.total, job.train, steps)
    state.unread = started.unread if started else frozenset()
    state.unread |= unread_of(model)
    return state


def unread_of(model: Trainee) -> frozenset[str]:
    """Frozen weights beside which small parts learn, and which no package holds, by their names."""
    if model.body.adapted is None:
        return frozenset()
    front = "" if model.body is model else "body."
    return frozenset(front + name for name in model.body.adapted.unread)


def take_over(
    state: State[Any], notes: Progress, before: Progress | Started | None, job: config.Job
) -> dict[str, Tensor]:
    """Note what came before: an earlier run, or a part of this training; the best weights so far.

    Of a part, the curves go on, and where validation chooses, its score is to be beaten.
    """
    if isinstance(before, Started):
        notes.started = before.as_dict()
    if not isinstance(before, Progress):
        return {}
    notes.curves, notes.earlier = [*before.curves], before.epoch
    notes.best = before.best if job.train.patience else None
    return shown_weights(state)


def count(step: Step, notes: Progress) -> str:
    """One more step of an epoch is done; what to say of it."""
    notes.position += 1
    notes.summed += 1
    notes.loss_sum += step.total
    return f"epoch {notes.epoch + 1}, loss {step.total:.3f}"


def own_batches(
    loader: Loader, order: list[np.ndarray], rank: int, world: int, device: torch.device
) -> Iterator[Batch]:
    """This process's share of each batch, where its model lies."""
    mine = loader.stream([processes.share_of(chunk, rank, world) for chunk in order])
    for chunk, batch in zip(order, mine, strict=True):
        seen = Batch.of(batch, device)
        yield seen if rank < len(chunk) else processes.unseen(seen)


def look(
    state: State[Any],
    plan: Plan[Any],
    job: config.Job,
    notes: Progress,
    best: dict[str, Tensor],
) -> dict[str, Tensor]:
    """Ask for the score, write the curve, and answer the best weights so far."""
    line: dict[str, Any] = {"epoch": notes.earlier + notes.epoch}
    line["loss"] = notes.loss_sum / notes.summed
    keep = plan.score is None or not job.train.patience
    if plan.score is not None:
        with averaged(state), put_together(state.model):
            score = plan.score()
        line |= {"validation": score.figures, "score": score.value}
        better = notes.best is None or score.value > notes.best.value
        notes.waited += 1
        if better:
            notes.best, notes.best_epoch, notes.waited = score, notes.epoch - 1, 0
        keep |= better
    notes.curves.append(line)
    notes.summed, notes.loss_sum = 0, 0.0
    return shown_weights(state) if keep else best


def ended(notes: Progress, epochs: int, job: config.Job) -> bool:
    """Whether all passes are done, or validation has not improved for `patience` looks.

    With `minutes`, time alone ends a training.
    """
    if job.train.minutes is not None:
        return notes.over
    patience = job.train.patience
    waited = patience and notes.best is not None and notes.waited >= patience
    return notes.epoch >= epochs or bool(waited)


def look_due(state: State[Any], notes: Progress, epochs: int, way: Course, job: config.Job) -> bool:
    """Whether it is time for a look at the validation rows, a pass being done."""
    if job.train.minutes is not None:
        return notes.over or notes.summed >= max(LOOK, state.steps / LOOKS)
    return notes.epoch % way.look_every == 0 or notes.epoch >= epochs


def freeze_trunks(model: Body | Pretraining, frozen: bool) -> None:
    """Hold pretrained encoders still for the first epochs: no gradient is taken of them."""
    for encoder in model.body.encoders.values():
        if encoder.trunk is not None and not encoder.frozen:
            encoder.held = frozen
