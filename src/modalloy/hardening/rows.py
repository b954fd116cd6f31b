"""The rows that a run is hardened on: its own table's, or another's, read as the run reads them."""

from dataclasses import dataclass

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.checks.finding import Finding, finding
from modalloy.errors import RunError, TableError
from modalloy.job import config
from modalloy.job.job_file import FRAME, check_against
from modalloy.learn.fitted_rows import disk_share_gb
from modalloy.runs.run import Run
from modalloy.table.fingerprints import learned_rows, same_parts
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts, learnable, split_job
from modalloy.table.table import Table


@dataclass(frozen=True)
class Rows:
    """Rows to learn from, to choose by and to test on, and the loader that reads them.

    parts: of rows with an answer that the run had not learned from. split: all rows, as the job
    splits them. given: whether another table than the run's own was given. said: what is to be
    known of the rows.
    """

    loader: Loader
    parts: Parts
    split: Parts
    given: bool
    said: list[Finding]


def own_table(run: Run) -> Table:
    """The table that a run was trained on; RunError where it is gone."""
    if run.job.table == FRAME:
        raise RunError(
            f"{run.path}: was trained on a frame in memory; give the table to learn from."
        )
    try:
        return open_table(run.job.table, sheet=run.job.sheet)
    except TableError as error:
        raise RunError(
            f"{run.path}: its own table cannot be opened, and hardening learns from rows: {error} "
            f"Put it back, or give another: `modalloy harden {run.path} TABLE`."
        ) from error


def rows_of(run: Run, job: config.Job, predictor: Predictor, table: Table | None) -> Rows:
    """The rows of a run's own table, split as they were, or of another one, split by the same rule.

    Test rows that the run has learned from are left out of another table's. RunError where the own
    table no longer holds the rows that it held; TableError where another lacks columns, or where no
    row is left to learn from.
    """
    given, opened = table is not None, own_table(run) if table is None else table
    found = predictor.open(opened, answers=True)
    opened = found.loader.table
    check_against(job, opened)
    parts = split = split_job(opened, job)
    if not given and not same_parts(opened, run.job, parts, run.prints()):
        raise RunError(
            f"{run.path}: {opened.source} no longer holds the rows that this run was trained and "
            "tested on, so nobody can say which of them are new to it. Put the old table back, or "
            f"harden on all of this one: `modalloy harden {run.path} {opened.source}`."
        )
    said = list(found.found)
    if given:
        parts, more = without_learned(run, opened, parts)
        said += more
    strict, cache = job.unreadable == "refuse", disk_share_gb(job)
    loader = Loader(opened, job, run.readers, run.targets, strict=strict, cache_gb=cache)
    parts = learnable(parts, loader.labelled)
    if not len(parts.train):
        raise TableError(f"{opened.source}: no row to learn from has an answer of any task.")
    if not len(parts.validation):
        said.append(finding("warning", "validation", UNCHOSEN))
    elif run.notes.get("refit"):
        said.append(finding("note", "validation", REFIT))
    return Rows(loader, parts, split, given, said)


UNCHOSEN = (
    "the split has no validation rows, so the last weights are kept, and nobody has looked whether "
    "answers to clean rows stayed as good"
)
REFIT = (
    "the run had learned from its validation rows too, so their clean score before hardening "
    "flatters it, and what is fitted on them now promises a little too much: "
    "`modalloy calibrate` fits it on other rows"
)


def without_learned(run: Run, table: Table, parts: Parts) -> tuple[Parts, list[Finding]]:
    """The parts of another table without test rows that the run has learned from or stopped by."""
    prints = run.prints()
    known = np.concatenate([prints.train, prints.validation, prints.calibration])
    seen = learned_rows(table, run.job, parts.test, known)
    if not seen.any():
        return parts, []
    what = f"{int(seen.sum())} test rows that the run has learned from were left out"
    # A leak, so that a report on all test rows of this table says so in red.
    return parts._replace(test=parts.test[~seen]), [finding("leak", "rows", what)]
