"""The labelled rows of a new table that a run can learn from: held apart by the job's own rules."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.table_caveats import find_columns, sentence
from modalloy.checks.finding import Finding, some
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.job.inputs import kept_together
from modalloy.judge.figures import truth_of
from modalloy.learn.fitted_rows import disk_share_gb
from modalloy.readers.targets.target import names_of
from modalloy.runs.learned_from import all_learned
from modalloy.runs.run import Run
from modalloy.speech.heard import with_heard
from modalloy.table.fingerprints import learned_rows
from modalloy.table.split import Parts, split_rows
from modalloy.table.table import Table
from modalloy.tasks.kit import kit_of

LEAST = 12  # labelled rows that are worth parting
TEST, VALIDATION = 0.2, 0.2  # shares held back where the job names none, or rows are few
FEW = 500  # rows below which a tenth of them says nothing of when to stop
OWN = "the job's own split"


class NewRows(NamedTuple):
    """Rows of a table with an answer that the run has not learned from, by their use.

    loader: of the whole table. parts: to learn from, to stop by, to judge by. by: how they were
    parted, in words. seen: rows left out because the run has learned from them. found: what was
    found of the table's columns.
    """

    loader: Loader
    parts: Parts
    by: str
    seen: int
    found: list[Finding]


def open_new(run: Run, job: config.Job, table: Table) -> NewRows:
    """The rows that a run may be fine-tuned with.

    Raises TableError where rows with an answer are too few, or an answer is a class that the run
    never knew.
    """
    table, found = find_columns(run.job, table, answers=True, decimal=run.decimal)
    table = with_heard(table, job, hidden=run.hidden)
    strict = job.unreadable == "refuse"
    cache_gb = disk_share_gb(job)
    loader = Loader(
        table, job, run.readers, run.targets, strict=strict, cache_gb=cache_gb, hidden=run.hidden
    )
    truths = truth_of(loader, np.arange(table.rows))
    refuse_unknown(loader, truths)
    rows = zip(*truths.values(), strict=True)
    which = np.flatnonzero([any(t is not None for t in row) for row in rows])
    known = learned_rows(table, run.job, which, all_learned(run))
    fresh = which[~known]
    if len(fresh) < LEAST:
        raise few(run, table, len(fresh), int(known.sum()), found)
    parts, by = part_rows(run.job, table, fresh)
    return NewRows(loader, parts, by, int(known.sum()), found)


def few(run: Run, table: Table, fresh: int, seen: int, found: list[Finding]) -> TableError:
    """What to say where hardly any row can be learned from."""
    names = [c for t in run.targets.values() for c in t.columns]
    hints = "".join(f" {sentence(f)}." for f in found if f.where in names)
    but = f" besides {seen} that the model has learned from" if seen else ""
    return TableError(
        f"{table.source}: {fresh} rows have an answer ({some(map(repr, names))}){but}, and "
        f"adapting needs at least {LEAST}, some of which are held back; label more rows, or adapt "
        f"without labels.{hints}"
    )


def refuse_unknown(loader: Loader, truths: dict[str, list]) -> None:
    """TableError for a class that the run never knew: its heads have no place for it."""
    for task, truth in truths.items():
        target, names = loader.targets[task], names_of(loader.targets[task])
        if names is None or not kit_of(loader.job.tasks[task]).whole_row:
            continue
        for row, answer in enumerate(truth):
            if answer is None:
                continue
            new = [n for n in target.classes(answer) if n not in names]
            if new:
                rows = sum(a is not None and not target.classes(a) <= {*names} for a in truth)
                raise TableError(
                    f"{loader.table.source}: column '{target.columns[0]}', row {row}: '{new[0]}' "
                    f"is a class that this run never knew ({rows} rows hold such ones; it knows "
                    f"{some(map(repr, names))}). Adapting keeps the classes: leave these rows out, "
                    "or train a job over all rows with `train.start`, which takes over the rest."
                )


def part_rows(job: config.Job, table: Table, which: np.ndarray) -> tuple[Parts, str]:
    """These rows by their use, and how that was decided."""
    first = next(iter(job.tasks.values()))
    kit = kit_of(first)
    target = first.target if kit.whole_row and not first.several else None
    series = [c for c in job.columns.values() if isinstance(c, config.Series) and c.history]
    history = series[0].history if series else None
    own = table.select(which)
    for split, by in ways(job, table, len(which), history):
        try:
            parts = split_rows(own, split, job.seed, target, not kit.numbers, history)
        except TableError:
            continue
        if min(map(len, parts[:3])):
            return Parts(which[parts.train], which[parts.validation], which[parts.test]), by
    raise TableError(
        f"{table.source}: {len(which)} labelled rows cannot be parted into some to learn from, "
        "some to stop by and some to judge by; label more rows."
    )


def ways(
    job: config.Job, table: Table, rows: int, history: config.History | None
) -> Iterator[tuple[config.Split, str]]:
    """Ways to part new rows, the job's own first; each with what to say of it."""
    split, have = job.split, set(table.columns)
    shares = {
        "test": split.test or TEST,
        "validation": max(split.validation, VALIDATION if rows < FEW else TEST / 2),
        "calibration": 0.0,
    }
    if split.column in have:
        yield split.model_copy(update=shares | {"hold_out": ()}), OWN
    if split.time in have:
        yield config.Split(time=split.time, **shares), OWN
    together = [c for c in kept_together(job) if c in have][:1]
    for column in together:
        by = OWN if column == split.by else f"whole groups of '{column}'"
        yield config.Split(by=column, **shares), by
    if history is not None and history.order in have:
        yield config.Split(time=history.order, **shares), f"the newest by '{history.order}'"
    if split.random is not None:
        yield config.Split(random="stratified", **shares), OWN
    column = together[0] if together else split.by or split.column or split.time
    why = (
        f"single rows, since '{column}' parts them in no way: what is held back is of the same "
        "groups as what is learned from, and its figures flatter"
    )
    yield config.Split(random="stratified", **shares), why
