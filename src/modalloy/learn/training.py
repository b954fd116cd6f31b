"""Training without a look at answers of test rows: a job, a table and its parts; a trained model.

For whoever judges by other means or not at all: `train`, searches of settings, rounds of sites.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from modalloy.answer.loader import Loader
from modalloy.errors import RunError
from modalloy.job import config
from modalloy.job.steps import folds
from modalloy.job.tuned import frozen_first
from modalloy.learn import processes
from modalloy.learn.adapting import begin_adapted, end_adapted
from modalloy.learn.fitted_fronts import fit_fronts
from modalloy.learn.fitted_rows import open_rows
from modalloy.learn.folds import FOLDER, Fold, as_one_of, assign, keep_log, together, train_fold
from modalloy.learn.frozen_features import frozen_features
from modalloy.learn.frozen_first import Phases, hold_still, learn_in_two
from modalloy.learn.held_out import HeldOut, from_folds, hold_out
from modalloy.learn.phase import REFIT, WHOLE, Watch
from modalloy.learn.progress import AGAIN, LAST, Progress
from modalloy.learn.resumed_start import frozen_trunks, held_start, start_of
from modalloy.learn.train import train_model
from modalloy.model.device import placed
from modalloy.model.model import Model
from modalloy.runs.run import Run
from modalloy.runs.start import Started
from modalloy.runs.start_weights import take_weights
from modalloy.table.split import Parts, joined, learnable
from modalloy.table.table import Table


class Learned(NamedTuple):
    """A trained model, the loader of its rows, and how it went.

    parts: rows with an answer alone, but for the test rows. interrupted: by Ctrl-C, in the first or
    the second part. refit: the validation rows were learned from too. start: the run that it began
    from, where it was read; started: what it has from there. phases: both parts of a training that
    began on frozen encoders, of which progress is the sum. held_out: rows with the answers of
    networks that had not learned from them; None where nobody will ask for them. adapted: what was
    learned beside layers and folded into them, by layer and column.
    """

    model: Model
    loader: Loader
    parts: Parts
    progress: Progress
    interrupted: bool = False
    refit: bool = False
    start: Run | None = None
    started: Started | None = None
    phases: Phases | None = None
    held_out: HeldOut | None = None
    adapted: dict[str, Any] | None = None


@dataclass(frozen=True)
class Begun:
    """A model before its first step, and what its training needs.

    whole: it is as it was before the first step of all; not so where an interrupted training goes
    on without the run that it started from. in_two: it learns on frozen encoders first.
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
    in_two: bool = False


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
    whole: Loader | None = None,
) -> Begun:
    """Fit readers and build the model, as `learn_job` does; what frozen encoders say is kept.

    first: a training to repeat on other rows. whole: of all rows that a fold is made of, which
    itself need not show every class and column.
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
    loader, started = open_rows(job, table, parts, start=start, held=held, whole=whole)
    if first is not None:
        loader.take_over(first.loader)
    parts = learnable(parts, loader.labelled)
    torch.manual_seed(job.seed)
    model = placed(Model(job, loader.readers, loader.targets, pretrained=True))
    fit_fronts(model, loader, parts.train, seed=job.seed)
    if started is not None and start is not None:
        taken = take_weights(model, start, started.kept)
        unlike = (*started.unlike, *taken.unlike)
        started = replace(started, unlike=unlike, unread=taken.unread)
    elif started is not None:
        model.load_state_dict(frozen_trunks(model, path), strict=False)
    started = begin_adapted(model, started)
    quiet = quiet or rank > 0
    frozen_features(model, loader, np.concatenate(parts), quiet=quiet)
    in_two = start is None and started is None and frozen_first(job)
    if in_two:
        again = first is not None
        hold_still(model, loader, parts, out, again=again, resume=resume, quiet=quiet)
    as_it_was = started is None or start is not None
    return Begun(job, table, model, loader, parts, out, start, started, as_it_was, in_two)


def finish_job(begun: Begun, *, resume: bool = False, quiet: bool = False) -> Learned:
    """Train what was begun; with `refit`, and after folds, once more, on all rows."""
    job, table, out, start = begun.job, begun.table, begun.out, begun.start
    count = folds(job, len(begun.parts.train), len(begun.parts.validation))
    first = learn_judged(begun, resume=resume, quiet=quiet)
    if not count and processes.start()[0] == 0:
        own = first.parts
        held = hold_out(first.model, first.loader, own.train, own.validation)
        first = first._replace(held_out=held)
    if not (count or job.train.refit) or first.interrupted or first.progress.best is None:
        return first
    rows = joined(first.parts)
    again = train_begun(
        begin_job(job, table, rows, out=out, start=start, resume=resume, quiet=quiet, first=first),
        resume=resume,
        quiet=quiet,
        like=first,
    )
    if again.interrupted:
        return first._replace(interrupted=True)
    return first._replace(
        model=again.model,
        loader=again.loader,
        parts=begun.parts,
        refit=True,
        adapted=again.adapted,
    )


def learn_judged(
    begun: Begun, *, resume: bool = False, quiet: bool = False, watch: Watch | None = None
) -> Learned:
    """Train what was begun as far as rows judge it that are not learned from, alone or in folds."""
    count = folds(begun.job, len(begun.parts.train), len(begun.parts.validation))
    if count:
        return train_folds(begun, count, quiet=quiet, watch=watch)
    return train_begun(begun, resume=resume, quiet=quiet, like=None, watch=watch)


def train_folds(begun: Begun, count: int, *, quiet: bool, watch: Watch | None = None) -> Learned:
    """Cross-validate over training and validation rows: how many passes answer held-out rows best.

    The outcome is of the last fold, with the progress of all of them together; one that is
    interrupted has learned from its own rows alone. Readers are fitted for each fold, targets once,
    so that every fold knows every class. Interrupted folds begin anew. `parts` of the outcome are
    the last fold's, as its model is.
    """
    job, every = begun.job, joined(begun.parts)
    rows = every.train
    whole = open_rows(job, begun.table, every, start=begun.start, held=None)[0]
    fold_N = assign(job, whole, rows, count)
    settings = as_one_of(job, len(rows))
    made: list[Fold] = []
    last = Learned(begun.model, begun.loader, begun.parts, Progress(0, 0), started=begun.started)
    for fold in np.unique(fold_N):
        held = fold_N == fold
        parts = Parts(train=rows[~held], validation=rows[held], test=rows[:0])
        out = begun.out / FOLDER / str(fold)
        some = begin_job(
            settings,
            begun.table,
            parts,
            out=out,
            start=begun.start,
            quiet=quiet,
            first=last,
            whole=whole,
        )
        given = (some.model, some.loader, some.parts, settings, out)
        outcome = train_fold(*given, quiet=quiet, watch=watch)
        adapted = end_adapted(some.model)
        shutil.rmtree(out, ignore_errors=True)
        last = last._replace(
            model=some.model,
            loader=some.loader,
            parts=begun.parts._replace(train=some.parts.train, validation=some.parts.validation),
            progress=outcome.progress,
            adapted=adapted,
        )
        if outcome.progress.interrupted:
            return last._replace(interrupted=True)
        made.append(outcome)
    progress, answers = together(begun.model, whole, rows, made)
    keep_log(begun.out, progress)
    fitted = [fold.fitted for fold in made]
    held_out = from_folds(whole, rows, fold_N, answers, fitted)
    return last._replace(progress=progress, held_out=held_out)


def train_begun(
    begun: Begun,
    *,
    resume: bool,
    quiet: bool,
    like: Learned | None,
    watch: Watch | None = None,
) -> Learned:
    """One training, on these parts."""
    given = (begun.model, begun.loader, begun.parts, begun.job, begun.out)
    phases = None
    if begun.in_two:
        both = like.phases if like else None
        phases = learn_in_two(*given, resume=resume, quiet=quiet, like=both, watch=watch)
        progress = phases.progress
    else:
        progress = train_model(
            *given,
            started=begun.started,
            resume=resume,
            quiet=quiet,
            like=like.progress if like else None,
            phase=REFIT if like else WHOLE,
            watch=watch,
        )
    return Learned(
        begun.model,
        begun.loader,
        begun.parts,
        progress,
        interrupted=progress.interrupted,
        start=begun.start,
        started=begun.started,
        phases=phases,
        adapted=end_adapted(begun.model),
    )
