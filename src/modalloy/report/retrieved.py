"""`evaluate` of a run with a space: how well its columns find one another on test rows."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.opened import open_rows
from modalloy.answer.space_rows import row_vectors
from modalloy.checks.finding import finding
from modalloy.errors import RunError, TableError
from modalloy.job.job_file import FRAME, job_text
from modalloy.judge.environment import environment
from modalloy.judge.facts import say_split
from modalloy.judge.report import Report
from modalloy.judge.retrieved import recalls, zero_shot
from modalloy.model.device import placed
from modalloy.report.page import write_page
from modalloy.runs.learned_from import all_learned
from modalloy.runs.parts import PAGE
from modalloy.runs.run import Run
from modalloy.runs.space import space_of
from modalloy.table.fingerprints import fingerprints, learned_rows, same_parts
from modalloy.table.open_table import open_table
from modalloy.table.split import split_known
from modalloy.table.table import Table

MOST = 5000  # rows among which a row is looked for


def evaluate_space(run: Run, given: Any, out: Path | None) -> Report:
    """Figures of a space on the run's test rows, or on all rows of another table; the page and the
    same as JSON are written.

    RunError for a run without a space, and where its own table is not at hand; TableError where
    there are fewer than two rows.
    """
    start, space = time.perf_counter(), space_of(run)
    if space is None:
        raise RunError(
            f"{run.path}: was pretrained without labels and without `contrast`, so it answers "
            f"nothing and finds nothing; train from it, with `train: {{start: {run.path}}}`."
        )
    body, space = run.body(), placed(space)
    loader, which, findings = rows_of(run, given)
    if len(which) < 2:
        raise TableError(
            f"{loader.table.source}: has {len(which)} rows to look among; two are needed."
        )
    found = row_vectors(body, space, loader, which, inputs=space.inputs, whole=False)
    report = Report(
        rows={"test": len(which)},
        seconds={"evaluating": time.perf_counter() - start},
        environment=environment(body),
        title=Path(str(loader.table.source)).stem,
        split=say_split(run.job.split) if given is None else "all rows of the given table",
        findings=findings,
        job=job_text(run.job),
        retrieved=recalls(found),
        zero_shot=zero_shot(body, space, loader, which, found),
    )
    page = out or run.path / (PAGE if given is None else "evaluated.html")
    write_page(report, [], page)
    report.save(page.with_suffix(".json"))
    return report


def rows_of(run: Run, given: Any) -> tuple[Loader, np.ndarray, list[dict[str, Any]]]:
    """The rows that are looked among: test rows, or all of another table, thinned to `MOST`."""
    if given is None and run.job.table == FRAME:
        raise RunError(
            f"{run.path}: learned from a frame in memory; give the table to evaluate on."
        )
    opened = open_table(run.job.table if given is None else given, sheet=run.job.sheet)
    which = test_rows(run, opened) if given is None else np.arange(opened.rows)
    which = which[np.unique(np.linspace(0, len(which) - 1, min(MOST, len(which))).astype(int))]
    loader, said = open_rows(run, opened, answers=True, part=which)
    opened = loader.table
    findings = [f.as_dict() for f in said]
    known = which[learned_rows(opened, run.job, which, all_learned(run))]
    if len(known):
        what = f"{len(known)} of {len(which)} rows are rows that the model has learned from"
        findings.append(finding("leak", "rows", what, known).as_dict())
    return loader, which, findings


def test_rows(run: Run, table: Table) -> np.ndarray:
    """The rows of the run's own table that it was not to learn from; by what they hold where the
    table has changed since."""
    parts = split_known(table, run.job)
    if same_parts(table, run.job, parts, run.prints()):
        return parts.test
    return np.flatnonzero(np.isin(fingerprints(table, run.job), run.prints().test))
