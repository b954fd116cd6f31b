"""A job and its table in, a trained model out; interrupted anywhere, it goes on where it was."""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modalloy.answer.loader import Loader, epoch_order
from modalloy.errors import RunError
from modalloy.job import config
from modalloy.judge.validate import Score, validate
from modalloy.learn import processes
from modalloy.learn.checkpoint import kept, load_state, read_state, save_state
from modalloy.learn.fit import State, fit
from modalloy.learn.optimizer import trained
from modalloy.learn.probe import Probe, apply, probe
from modalloy.machine.files import write_safely
from modalloy.machine.limits import number_types_file
from modalloy.machine.progress import Bar
from modalloy.model.layers.shared_norms import share_figures
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.supervised import supervised
from modalloy.table.split import Parts

SAVE_EVERY_S = 120.0
LAST = "checkpoints/last.safetensors"
AGAIN = "checkpoints/refit.safetensors"
LOG, AGAIN_LOG = "log.jsonl", "refit.jsonl"


@dataclass
class Progress:
    """How far a training is, as a checkpoint keeps it."""

    epoch: int = 0
    position: int = 0  # batches of this epoch that are done
    best: Score | None = None
    best_epoch: int = -1
    curves: list[dict[str, Any]] = field(default_factory=list)
    half: bool = False
    channels_last: bool = False
    probe: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    loss_sum: float = 0.0  # of the steps of this epoch
    interrupted: bool = False  # by Ctrl-C


def train_model(
    model: Model,
    loader: Loader,
    parts: Parts,
    job: config.Job,
    out: Path,
    *,
    resume: bool = False,
    quiet: bool = False,
    like: Progress | None = None,
) -> Progress:
    """Train a model in place, on the device where it lies, and leave it with its best weights.

    Writes `log.jsonl` and checkpoints under `out`. With `resume` and the same job, an interrupted
    training ends with the same weights, bit for bit, as one that was never interrupted. Ctrl-C
    stops after the current step and keeps the best weights so far.

    like: an earlier training to repeat with other rows: as many epochs as its best one, on its
        schedule and with its precision. Writes `refit.jsonl` and a checkpoint of its own.
    """
    rank, world = processes.start()
    processes.same_everywhere(model.state_dict().values(), world)
    lengths = loader.lengths(parts.train)
    per_epoch = len(epoch_order(parts.train, job.train.batch, job.seed, 0, lengths))
    state = State.begin(model, job, per_epoch * job.train.epochs)
    path, log = (out / AGAIN, AGAIN_LOG) if like else (out / LAST, LOG)
    epochs = like.best_epoch + 1 if like else job.train.epochs
    if resume and path.is_file():
        best, notes = restore(path, state, job)
    else:
        best, notes = {}, choose_precision(state, loader, parts, job, world, like)
    apply(model, Probe(notes.half, notes.channels_last, {}))
    if world > 1:
        share_figures(model)
    start = time.perf_counter() - notes.seconds
    saved = time.perf_counter()
    says = "training on all rows" if like else "training"
    with Bar(says, per_epoch * epochs, quiet=quiet or rank > 0) as bar:
        bar.advance(state.step)
        try:
            while notes.epoch < epochs and not out_of_patience(notes, job):
                freeze_trunks(model, notes.epoch < job.train.freeze_epochs)
                order = epoch_order(parts.train, job.train.batch, job.seed, notes.epoch, lengths)
                batches = own_batches(loader, order[notes.position :], rank, world, model.device)
                for step in fit(state, supervised, batches, job, rank=rank, world=world):
                    notes.position += 1
                    notes.loss_sum += step.total
                    bar.advance(note=f"epoch {notes.epoch + 1}, loss {step.total:.3f}")
                    if rank == 0 and time.perf_counter() - saved > SAVE_EVERY_S:
                        saved = store(path, state, best, notes, job, start)
                best = end_epoch(state, loader, parts, job, notes, best, world)
                if rank == 0:
                    write_log(out / log, notes)
                    saved = store(path, state, best, notes, job, start)
        except KeyboardInterrupt:
            notes.interrupted = True
            bar.advance(0, "interrupted: keeping the best weights so far")
    freeze_trunks(model, False)
    model.load_state_dict(best or shown_weights(state), strict=False)
    return notes


def own_batches(
    loader: Loader, order: list[np.ndarray], rank: int, world: int, device: torch.device
) -> Iterator[Batch]:
    """This process's share of each batch, where its model lies."""
    mine = loader.stream([processes.share_of(chunk, rank, world) for chunk in order])
    for chunk, batch in zip(order, mine, strict=True):
        seen = Batch.of(batch, device)
        yield seen if rank < len(chunk) else processes.unseen(seen)


def end_epoch(
    state: State,
    loader: Loader,
    parts: Parts,
    job: config.Job,
    notes: Progress,
    best: dict[str, Tensor],
    world: int,
) -> dict[str, Tensor]:
    """Validate, write the curve, and answer the best weights so far."""
    processes.same_everywhere(state.model.buffers(), world)
    line: dict[str, Any] = {"epoch": notes.epoch + 1, "loss": notes.loss_sum / notes.position}
    keep = not len(parts.validation) or not job.train.patience
    if len(parts.validation):
        with averaged(state):
            score = validate(state.model, loader, parts.validation, processes.answer_together)
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
    state: State, loader: Loader, parts: Parts, job: config.Job, world: int, like: Progress | None
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
        return probe(state.model, supervised, batch, precision, steps=steps, kept=kept)

    choice = processes.first_decides(choose, world)
    return Progress(half=choice.half, channels_last=choice.channels_last, probe=choice.seconds)


def freeze_trunks(model: Model, frozen: bool) -> None:
    """Hold pretrained encoders still for the first epochs: no gradient is taken of them."""
    for encoder in model.encoders.values():
        if encoder.trunk is not None and not encoder.frozen:
            encoder.held = frozen


def shown_weights(state: State) -> dict[str, Tensor]:
    """The weights that would be kept now: the moving average where there is one."""
    weights = {n: t.detach().clone() for n, t in kept(state.model).items()}
    return weights | {n: t.clone() for n, t in state.average.items()}


@contextmanager
def averaged(state: State) -> Iterator[None]:
    """The model with its averaged weights, for the time of validation."""
    if not state.average:
        yield
        return
    held = {n: p.detach().clone() for n, p in trained(state.model)}
    state.model.load_state_dict(state.average, strict=False)
    try:
        yield
    finally:
        state.model.load_state_dict(held, strict=False)


def store(
    path: Path,
    state: State,
    best: dict[str, Tensor],
    notes: Progress,
    job: config.Job,
    start: float,
) -> float:
    """Write the checkpoint of a training that began at `start`; returns the time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    notes.seconds = time.perf_counter() - start
    plain = {**notes.__dict__, "best": notes.best._asdict() if notes.best else None}
    save_state(path, state, best, {"progress": plain, "job": fingerprint(job)})
    return time.perf_counter()


def restore(path: Path, state: State, job: config.Job) -> tuple[dict[str, Tensor], Progress]:
    """Read the checkpoint of a training of the same job. RunError for another job's."""
    tensors, meta = read_state(path)
    if meta["job"] != fingerprint(job):
        raise RunError(
            f"{path}: this checkpoint belongs to another job; give the job file it was started "
            "with, or another run directory."
        )
    best = load_state(tensors, meta, state)
    plain: dict[str, Any] = meta["progress"]
    plain["best"] = Score(**plain["best"]) if plain["best"] else None
    return best, Progress(**plain)


def fingerprint(job: config.Job) -> str:
    """Tells jobs apart."""
    return hashlib.sha256(job.model_dump_json().encode()).hexdigest()


def write_log(path: Path, notes: Progress) -> None:
    """One JSON line an epoch."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in notes.curves)
    write_safely(path, text.encode())
