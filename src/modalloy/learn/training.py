"""Training without a look at answers of test rows: a job, a table and its parts; a trained model.

For whoever judges by other means or not at all: `train`, searches of settings, rounds of sites.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from modalloy.answer.loader import Loader
from modalloy.errors import RunError
from modalloy.job import config
from modalloy.learn import processes
from modalloy.learn.blending import HeldOut, hold_out
from modalloy.learn.frozen_features import frozen_features
from modalloy.learn.progress import AGAIN, LAST, Progress
from modalloy.learn.resumed_start import frozen_trunks, held_start, start_of
from modalloy.learn.train import train_model
from modalloy.machine.limits import processes_here
from modalloy.model.device import placed
from modalloy.model.model import Model
from modalloy.readers.build import (
    fit_readers,
    fit_targets,
    from_state,
    in_order,
    targets_from_state,
    to_state,
)
from modalloy.runs.run import Run
from modalloy.runs.start import Fits, Started, compare, take_targets
from modalloy.runs.start_weights import take_weights
from modalloy.table.split import Parts, joined, learnable
from modalloy.table.table import Table

FIT_ROWS = 20_000  # training rows that readers are fitted on


class Learned(NamedTuple):
    """A trained model, the loader of its rows, and how it went.

    parts: rows with an answer alone, but for the test rows. interrupted: by Ctrl-C, in the first or
    the second part. refit: the validation rows were learned from too. start: the run that it began
    from, where it was read; started: what it has from there. held_out: validation rows with the
    answers of the network that had not learned from them; None where nobody will ask for them.
    """

    model: Model
    loader: Loader
    parts: Parts
    progress: Progress
    interrupted: bool = False
    refit: bool = False
    start: Run | None = None
    started: Started | None = None
    held_out: HeldOut | None = None


@dataclass(frozen=True)
class Begun:
    """A model before its first step, and what its training needs.

    whole: it is as it was before the first step of all; not so where an interrupted training goes
    on without the run that it started from.
    """

    job: config.Job
    table: Table
    model: Model
    loader: Loader
    parts: Parts
    out: Path
    start: Run | None = None
    started: Started | None = None
    whole: bool = True


def learn_job(
    job: config.Job,
    table: Table,
    parts: Parts,
    *,
    out: Path,
    start: Run | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> Learned:
    """Learn with the validation rows kept apart; with `refit`, then from them too.

    start: a run whose readers, targets and weights are taken over where they fit; `started` of the
    outcome names what did not. A second training that is interrupted leaves the first one's model.
    out: gets the log, and checkpoints for whoever goes on; the caller removes them. JobError where
    the start shares no column, RunError for a checkpoint of another job.
    """
    begun = begin_job(job, table, parts, out=out, start=start, resume=resume, quiet=quiet)
    return finish_job(begun, resume=resume, quiet=quiet)


def begin_job(
    job: config.Job,
    table: Table,
    parts: Parts,
    *,
    out: Path,
    start: Run | None = None,
    resume: bool = False,
    quiet: bool = False,
    first: Learned | None = None,
) -> Begun:
    """Fit readers and build the model, as `learn_job` does; what frozen encoders say is kept.

    first: a training to repeat on other rows.
    """
    rank, _ = processes.start()
    path = out / (AGAIN if first else LAST)
    wanted = start is not None or job.train.start is not None
    held = held_start(path) if resume and wanted else None
    known = held or (first.started if first else None)
    start = start_of(job, start, known)
    if start is None and known is not None and held is None:
        raise RunError(
            f"{known.run}: is not the run any more that this training started from, and learning "
            "from all rows starts there again; put it back and go on with --resume."
        )
    loader, started = open_rows(job, table, parts, start=start, held=held)
    if first is not None:
        loader.take_over(first.loader)
    parts = learnable(parts, loader.labelled)
    torch.manual_seed(job.seed)
    model = placed(Model(job, loader.readers, loader.targets, pretrained=True))
    if started is not None and start is not None:
        taken = take_weights(model, start, started.kept)
        unlike = (*started.unlike, *taken.unlike)
        started = replace(started, unlike=unlike, unread=taken.unread)
    elif started is not None:
        model.load_state_dict(frozen_trunks(model, path), strict=False)
    frozen_features(model, loader, np.concatenate(parts), quiet=quiet or rank > 0)
    whole = started is None or start is not None
    return Begun(job, table, model, loader, parts, out, start, started, whole)


def finish_job(begun: Begun, *, resume: bool = False, quiet: bool = False) -> Learned:
    """Train what was begun; with `refit` once more, on all rows."""
    job, table, out, start = begun.job, begun.table, begun.out, begun.start
    first = train_begun(begun, resume=resume, quiet=quiet, like=None)
    if processes.start()[0] == 0:
        held = hold_out(first.model, first.loader, first.parts.validation)
        first = first._replace(held_out=held)
    if not job.train.refit or first.interrupted or first.progress.best is None:
        return first
    rows = joined(first.parts)
    again = train_begun(
        begin_job(job, table, rows, out=out, start=start, resume=resume, quiet=quiet, first=first),
        resume=resume,
        quiet=quiet,
        like=first.progress,
    )
    if again.interrupted:
        return first._replace(interrupted=True)
    return first._replace(model=again.model, loader=again.loader, refit=True)


def train_begun(begun: Begun, *, resume: bool, quiet: bool, like: Progress | None) -> Learned:
    """One training, on these parts."""
    progress = train_model(
        begun.model,
        begun.loader,
        begun.parts,
        begun.job,
        begun.out,
        started=begun.started,
        resume=resume,
        quiet=quiet,
        like=like,
    )
    return Learned(
        begun.model,
        begun.loader,
        begun.parts,
        progress,
        interrupted=progress.interrupted,
        start=begun.start,
        started=begun.started,
    )


def open_loader(job: config.Job, table: Table, parts: Parts) -> Loader:
    """Readers and targets fitted on training rows, and the loader of these rows."""
    return open_rows(job, table, parts, start=None, held=None)[0]


def open_rows(
    job: config.Job, table: Table, parts: Parts, *, start: Run | None, held: Started | None
) -> tuple[Loader, Started | None]:
    """The loader of these rows, and what its readers and targets have from an earlier run.

    held: what they are where the run is not read again.
    """
    _, world = processes.start()
    if start is None and held is not None:
        readers, targets, started = held.readers, held.targets, held
    else:
        fit = partial(fit_rows, job, table, parts, start)
        readers, targets, started = processes.first_decides(fit, world)
    loader = Loader(
        table,
        job,
        from_state(readers),
        targets_from_state(targets, job),
        strict=job.unreadable == "refuse",
        cache_gb=disk_share_gb(job),
    )
    return loader, started


def fit_rows(
    job: config.Job, table: Table, parts: Parts, start: Run | None
) -> tuple[dict[str, Any], dict[str, Any], Started | None]:
    """Readers and targets as JSON, fitted on training rows or taken from a run where they fit."""
    sample = parts.train
    if len(sample) > FIT_ROWS:
        sample = np.sort(np.random.default_rng(job.seed).choice(sample, FIT_ROWS, replace=False))
    empty = Loader(table, job, {}, {})
    fits = Fits({}, {}, []) if start is None else compare(job, start)
    columns = {n: o for n, o in job.columns.items() if n not in fits.columns}
    anew = job.model_copy(update={"columns": columns})
    fitted = fit_readers(anew, lambda columns: empty.cells(columns, sample)) | fits.columns
    readers = to_state(in_order({n: fitted[n] for n in job.columns if n in fitted}))
    own = fit_targets(job, lambda columns: empty.cells(columns, parts.train))
    taken, unlike = take_targets(own, fits)
    targets = to_state(taken)
    if start is None:
        return readers, targets, None
    kept = [f"column '{n}'" for n in fits.columns]
    kept += [f"task '{n}'" for n, target in taken.items() if target is not own[n]]
    why = (*fits.unlike, *unlike)
    run = str(start.path.resolve())
    return readers, targets, Started(run, start.identity, tuple(kept), why, readers, targets)


def disk_share_gb(job: config.Job) -> float:
    """What this process may keep on disk: those of one machine share `cache_gb` evenly."""
    return job.train.cache_gb / processes_here()
