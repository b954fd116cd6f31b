"""A whole training by one plan: epochs, checkpoints, patience; interrupted, it goes on anywhere."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modalloy.answer.loader import Loader, epoch_order
from modalloy.job import config
from modalloy.learn import processes
from modalloy.learn.fit import Step, fit
from modalloy.learn.phase import WHOLE, Phase
from modalloy.learn.plan import Plan, supervised_plan
from modalloy.learn.probe import Probe, apply, probe
from modalloy.learn.progress import Progress, restore, store, write_log
from modalloy.learn.state import State, averaged, shown_weights
from modalloy.machine.limits import number_types_file
from modalloy.machine.progress import Bar
from modalloy.model.layers.shared_norms import share_figures
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.runs.start import Started
from modalloy.table.split import Parts

SAVE_EVERY_S = 120.0


def train_model(
    model: Model,
    loader: Loader,
    parts: Parts,
    job: config.Job,
    out: Path,
    *,
    plan: Plan[Model] | None = None,
    started: Started | None = None,
    resume: bool = False,
    quiet: bool = False,
    like: Progress | None = None,
    phase: Phase = WHOLE,
) -> Progress:
    """Train a model in place, on the device where it lies, and leave it with its best weights.

    Writes a log and checkpoints under `out`. With `resume` and the same job, an interrupted
    training ends with the same weights, bit for bit, as one that was never interrupted. Ctrl-C
    stops after the current step and keeps the best weights so far.

    plan: what is learned and how; `supervised_plan` by default. started: what the model has from an
        earlier run, for checkpoints to keep. phase: which part of a training this is.
    like: an earlier training to repeat with other rows: as many epochs as its best one, on its
        schedule and with its precision.
    """
    rank, world = processes.start()
    plan = plan or supervised_plan(model, loader, parts.validation)
    lengths = loader.lengths(parts.train)
    per_epoch = len(epoch_order(parts.train, job.train.batch, job.seed, 0, lengths))
    state = begin_state(model, plan, job, per_epoch, world, started)
    path = out / phase.checkpoint
    epochs = like.best_epoch + 1 if like else job.train.epochs
    if resume and path.is_file():
        best, notes = restore(path, state, job)
    else:
        notes = choose_precision(state, plan, loader, parts, job, world, like)
        best = go_on(state, notes, started or phase.before, job)
    set_up(model, notes, world)
    start, saved = time.perf_counter() - notes.seconds, time.perf_counter()
    with Bar(phase.title, per_epoch * epochs, quiet=quiet or rank > 0) as bar:
        bar.advance(state.step)
        try:
            while notes.epoch < epochs and not out_of_patience(notes, job):
                freeze_trunks(model, phase.still or notes.epoch < job.train.freeze_epochs)
                order = epoch_order(parts.train, job.train.batch, job.seed, notes.epoch, lengths)
                batches = own_batches(loader, order[notes.position :], rank, world, model.device)
                for step in steps_of(plan, state, batches, job, rank, world):
                    bar.advance(note=count(step, notes))
                    if rank == 0 and time.perf_counter() - saved > SAVE_EVERY_S:
                        saved = store(path, state, best, notes, job, start)
                best = end_epoch(state, plan, job, notes, best, world)
                if rank == 0:
                    write_log(out / phase.log, notes)
                    saved = store(path, state, best, notes, job, start)
        except KeyboardInterrupt:
            notes.interrupted = True
            bar.advance(0, "interrupted: keeping the best weights so far")
    freeze_trunks(model, False)
    model.load_state_dict(best or shown_weights(state), strict=False)
    return notes


def steps_of(
    plan: Plan[Model],
    state: State[Model],
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


def begin_state(
    model: Model,
    plan: Plan[Model],
    job: config.Job,
    per_epoch: int,
    world: int,
    started: Started | None,
) -> State[Model]:
    """The state before the first step, in every process with the first one's weights."""
    processes.same_everywhere(model.state_dict().values(), world)
    state = State.begin(model, plan.total, job.train, per_epoch * job.train.epochs)
    state.unread = started.unread if started else frozenset()
    return state


def go_on(
    state: State[Model], notes: Progress, before: Progress | Started | None, job: config.Job
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


def set_up(model: Model, notes: Progress, world: int) -> None:
    """The model as this training computes: number type, layout, figures shared by processes."""
    apply(model, Probe(notes.half, notes.channels_last, {}))
    if world > 1:
        share_figures(model)


def count(step: Step, notes: Progress) -> str:
    """One more step of an epoch is done; what to say of it."""
    notes.position += 1
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


def end_epoch(
    state: State[Model],
    plan: Plan[Model],
    job: config.Job,
    notes: Progress,
    best: dict[str, Tensor],
    world: int,
) -> dict[str, Tensor]:
    """Ask for the score, write the curve, and answer the best weights so far."""
    processes.same_everywhere(state.model.buffers(), world)
    line: dict[str, Any] = {"epoch": notes.earlier + notes.epoch + 1}
    line["loss"] = notes.loss_sum / notes.position
    keep = plan.score is None or not job.train.patience
    if plan.score is not None:
        with averaged(state):
            score = plan.score()
        line |= {"validation": score.figures, "score": score.value}
        better = notes.best is None or score.value > notes.best.value
        if better:
            notes.best, notes.best_epoch = score, notes.epoch
        keep |= better
    notes.curves.append(line)
    notes.epoch, notes.position, notes.loss_sum = notes.epoch + 1, 0, 0.0
    return shown_weights(state) if keep else best


def out_of_patience(notes: Progress, job: config.Job) -> bool:
    """Whether validation has not improved for `patience` epochs."""
    waited = notes.epoch - 1 - notes.best_epoch
    return bool(job.train.patience and notes.best is not None and waited >= job.train.patience)


def choose_precision(
    state: State[Model],
    plan: Plan[Model],
    loader: Loader,
    parts: Parts,
    job: config.Job,
    world: int,
    like: Progress | None,
) -> Progress:
    """Fresh notes with the number type: that of an earlier training, or the quickest of a probe.

    The probe runs on the first batch, in the first process; every process does as that one says.
    """
    if like:
        return Progress(half=like.half, channels_last=like.channels_last)

    def choose() -> Probe:
        some = processes.share_of(parts.train[: job.train.batch], 0, world)
        batch, kept = Batch.of(loader.batch(some), state.model.device), number_types_file()
        precision, steps = job.train.precision, state.steps
        return probe(state.model, plan.objective, batch, precision, steps=steps, kept=kept)

    choice = processes.first_decides(choose, world)
    return Progress(half=choice.half, channels_last=choice.channels_last, probe=choice.seconds)


def freeze_trunks(model: Model, frozen: bool) -> None:
    """Hold pretrained encoders still for the first epochs: no gradient is taken of them."""
    for encoder in model.encoders.values():
        if encoder.trunk is not None and not encoder.frozen:
            encoder.held = frozen
