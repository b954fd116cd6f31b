"""Readers and targets fitted on training rows - of a whole training, of a fold, or taken from an
earlier run - and the loader that reads rows by them.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.cells.cells import Cells
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.learn import processes
from modalloy.machine.limits import processes_here
from modalloy.readers.build import (
    CellsOf,
    fit_readers,
    fit_targets,
    from_state,
    in_order,
    targets_from_state,
    to_state,
)
from modalloy.readers.category import CategoryReader
from modalloy.readers.learned_answers import asks_for_answers, learned_answers
from modalloy.readers.reader import Reader
from modalloy.readers.target_means import LearnedAnswers
from modalloy.readers.targets.target import TargetReader
from modalloy.runs.run import Run
from modalloy.runs.start import Fits, Started, compare, take_targets
from modalloy.table.split import Parts
from modalloy.table.table import Table

FIT_ROWS = 20_000  # training rows that readers are fitted on


def open_loader(job: config.Job, table: Table, parts: Parts) -> Loader:
    """Readers and targets fitted on training rows, and the loader of these rows."""
    return open_rows(job, table, parts, start=None, held=None)[0]


def open_rows(
    job: config.Job,
    table: Table,
    parts: Parts,
    *,
    start: Run | None,
    held: Started | None,
    whole: Loader | None = None,
) -> tuple[Loader, Started | None]:
    """The loader of these rows, and what its readers and targets have from an earlier run.

    held: what they are where the run is not read again. whole: as for `fit_rows`.
    """
    _, world = processes.start()
    if start is None and held is not None:
        readers, targets, started = held.readers, held.targets, held
    else:
        fit = partial(fit_rows, job, table, parts, start, whole)
        readers, targets, started = processes.first_decides(fit, world)
    loader = Loader(
        table,
        job,
        from_state(readers),
        targets_from_state(targets, job),
        strict=job.unreadable == "refuse",
        cache_gb=disk_share_gb(job),
    )
    loader.remember()
    return loader, started


def fit_rows(
    job: config.Job, table: Table, parts: Parts, start: Run | None, whole: Loader | None
) -> tuple[dict[str, Any], dict[str, Any], Started | None]:
    """Readers and targets as JSON, fitted on training rows or taken from a run where they fit.

    whole: of all rows that a fold is made of; it gives the targets, and readers of columns that the
    fold's training rows hold nothing of.
    """
    sample = parts.train
    if len(sample) > FIT_ROWS:
        sample = np.sort(np.random.default_rng(job.seed).choice(sample, FIT_ROWS, replace=False))
    empty = Loader(table, job, {}, {})
    fits = Fits({}, {}, []) if start is None else compare(job, start)
    columns = {n: o for n, o in job.columns.items() if n not in fits.columns}
    anew = job.model_copy(update={"columns": columns})
    own: dict[str, TargetReader]
    if whole is None:
        own = fit_targets(job, lambda columns: empty.cells(columns, parts.train))
    else:
        own = dict(whole.targets)
    answers = None
    if asks_for_answers(job):
        asked = list(dict.fromkeys(c for target in own.values() for c in target.columns))
        answers = learned_answers(own, empty.cells(asked, sample), empty.folds(sample))

    def cells_of(columns: tuple[str, ...]) -> Cells:
        return empty.cells(columns, sample)

    fit = fit_readers if whole is None else partial(fit_fold, whole)
    fitted = fit(anew, cells_of, answers) | answered_here(job, fits.columns, cells_of, answers)
    readers = to_state(in_order({n: fitted[n] for n in job.columns if n in fitted}))
    taken, unlike = take_targets(own, fits)
    targets = to_state(taken)
    if start is None:
        return readers, targets, None
    kept = [f"column '{n}'" for n in fits.columns]
    kept += [f"task '{n}'" for n, target in taken.items() if target is not own[n]]
    why = (*fits.unlike, *unlike)
    run = str(start.path.resolve())
    return readers, targets, Started(run, start.identity, tuple(kept), why, readers, targets)


def fit_fold(
    whole: Loader, job: config.Job, cells_of: CellsOf, answers: LearnedAnswers | None
) -> dict[str, Reader]:
    """Readers of a fold's training rows.

    A column that these rows hold nothing of is read as all rows have it, without their answers:
    nothing is learned of it in this fold.
    """
    found: dict[str, Reader] = {}
    for name in job.columns:
        one = job.model_copy(update={"columns": {name: job.columns[name]}})
        try:
            found |= fit_readers(one, cells_of, answers)
        except TableError:
            reader = whole.readers[name]
            known = isinstance(reader, CategoryReader)
            found[name] = reader.without_answers() if known else reader
    return found


def answered_here(
    job: config.Job,
    readers: Mapping[str, Reader],
    cells_of: CellsOf,
    answers: LearnedAnswers | None,
) -> dict[str, Reader]:
    """Readers of an earlier run, whose names show what the rows of this training answer."""
    found = dict(readers)
    for name, reader in readers.items():
        options = job.columns[name]
        known = isinstance(reader, CategoryReader) and isinstance(options, config.Category)
        if known and answers is not None and reader.shows_answers(options):
            found[name] = reader.with_answers(cells_of(reader.columns), answers)
    return found


def disk_share_gb(job: config.Job) -> float:
    """What this process may keep on disk: those of one machine share `cache_gb` evenly."""
    return job.train.cache_gb / processes_here()
