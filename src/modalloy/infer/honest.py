"""Leaves out the columns that give an answer away."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from modalloy.cells.missing_markers import says_nothing
from modalloy.checks.exact_leakage import KnownTarget, gives_away, time_between
from modalloy.checks.leaks import group_findings
from modalloy.checks.target_findings import truths
from modalloy.checks.target_leakage import telltale_findings
from modalloy.infer.draft import Draft
from modalloy.infer.guessed import INPUTS, MEDIA, TABULAR, Guess, InferredTask
from modalloy.infer.task_inference import answer_of
from modalloy.job import config
from modalloy.table.split import split_job
from modalloy.table.table import Table
from modalloy.table.twin_columns import twin_variables


def without_giveaways(
    table: Table, guesses: Mapping[str, Guess], tasks: Mapping[str, InferredTask]
) -> dict[str, Guess]:
    """Leave out columns that tell a target, or say nothing where one is known.

    What was set in each run of a twin gives nothing away: it is what the run's outputs follow from.
    """
    causes = twin_variables(table)
    answers = [answer_of(table, target, goal) for target, goal in tasks.items()]
    taught = np.any([a.known for a in answers], axis=0)
    out = dict(guesses)
    for column, found in guesses.items():
        reason = None
        if found.type in INPUTS:
            reason = _reason(table, column, found, [] if column in causes else answers, taught)
        if reason:
            out[column] = Guess("ignore", reason)
    times = [c for c, g in out.items() if g.type == "time"]
    for column, reason in time_between(table, times, answers).items():
        out[column] = Guess("ignore", reason)
    return out


def _reason(
    table: Table, column: str, found: Guess, answers: list[KnownTarget], taught: np.ndarray
) -> str | None:
    """Why a column is no input, or None. taught: rows where a target is known, (N,) bool."""
    cells = table.cells(column)
    if found.type == "number":
        cells = [None if says_nothing(c) else c for c in cells]
    if found.type in TABULAR and not taught.all():
        shown = {c for c, known in zip(cells, taught, strict=True) if known}
        if len(shown) < 2:
            only = next(iter(shown))
            only = only.item() if isinstance(only, np.generic) else only
            value = repr(only)[:40] if shown - {None} else "empty"
            return f"always {value} where a target is known"
    media = found.type in MEDIA or (found.type == "series" and table.kind(column) == "text")
    reasons = (gives_away(cells, answer, media=media) for answer in answers)
    return next(filter(None, reasons), None)


def without_leaks(table: Table, draft: Draft) -> Draft:
    """Leave out what `check` would call a leak, so that `train` takes the job as it is."""
    job = config.Job.model_validate(draft.job(table.source))
    parts = split_job(table, job)
    known = truths(job, table, parts)[0]
    found = list(telltale_findings(job, table, parts, known, None))
    if len(parts.test):
        found += group_findings(job, table, parts, known)
    columns = dict(draft.columns)
    for leak in found:
        if leak.level == "leak" and leak.where in columns and leak.where != draft.split.get("by"):
            columns[leak.where] = Guess("ignore", leak.what.split(";")[0])
    return replace(draft, columns=columns)
