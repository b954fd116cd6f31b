"""Explains one row: its columns, the inside of cells, past rows, changes that one can make."""

from collections.abc import Sequence

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.answer.table_caveats import statuses
from modalloy.attribution.asked_row import AskedRow
from modalloy.attribution.change import check_actionable, find_changes
from modalloy.attribution.columns import share_columns
from modalloy.attribution.explanation import Explanation, TaskReasons
from modalloy.attribution.inside import look_inside
from modalloy.attribution.network_score import captum, network_part
from modalloy.attribution.outcome import find_outcome, say_answer
from modalloy.attribution.past import TrainingRows, training_rows
from modalloy.errors import JobError, TableError
from modalloy.job.options import did_you_mean
from modalloy.readers.batch import TABLE
from modalloy.runs.run import Run


def explain_row(
    predictor: Predictor,
    loader: Loader,
    row: int,
    *,
    tasks: Sequence[str],
    label: str | None = None,
    item: int = 0,
    actionable: Sequence[str] = (),
    past: int = 3,
    lines: Sequence[float] = (),
) -> Explanation:
    """Why the run answers this row as it does; see `verbs.explain`."""
    check_row(loader, row)
    captum()
    asked = AskedRow(predictor, loader, row)
    check_actionable(asked, actionable)
    learned = training_rows(predictor) if past or actionable else ""
    if actionable and isinstance(learned, str):
        raise TableError(f"actionable: {learned}; its numbers say what is usual.")
    given = actionable if isinstance(learned, TrainingRows) else ()
    reasons = [
        explain_task(asked, task, label, item, given, learned) for task in tasks
    ]  # fmt: skip
    columns = list(dict.fromkeys(c for r in predictor.run.readers.values() for c in r.columns))
    which = np.array([row])
    status = {n: said[0] for n, said in statuses(loader, which).items()}
    source, own = loader.table.source, loader.cells(columns, which)
    if isinstance(learned, str):
        given_past = learned.rstrip(".") or "Not asked for"
        return Explanation(
            predictor.run, source, row, reasons, status, own, given_past, lines=tuple(lines)
        )
    near = learned.nearest(loader, row, past) if past else []
    theirs = learned.loader.cells(columns, np.array([p.row for p in near], dtype=np.int64))
    return Explanation(
        predictor.run, source, row, reasons, status, own, near, theirs,
        len(learned.rows), learned.learned, tuple(lines),
    )  # fmt: skip


def columns_bought(predictor: Predictor, loader: Loader, row: int) -> list[str]:
    """The columns that the run's policy buys for a row: nothing else has a part in its answer.

    TableError for a row that the table lacks, and for one that buys nothing.
    """
    check_row(loader, row)
    found = predictor.bought(loader, np.array([row])).bought
    tabular = [reader.name for reader in loader.tabular]
    names = [c for i, b in found.items() if b[0] for c in (tabular if i == TABLE else [i])]
    if not names:
        raise TableError(
            f"{loader.table.source}: row {row}: the run's policy buys no column for it, so nothing "
            "in the row explains its answer."
        )
    return names


def explain_task(
    asked: AskedRow,
    task: str,
    label: str | None,
    item: int,
    actionable: Sequence[str],
    learned: TrainingRows | str,
) -> TaskReasons:
    """One task's answer."""
    outcome = find_outcome(asked, task, label=label, item=item)
    answered = say_answer(asked, task)
    if outcome is None:
        return TaskReasons(task, answered)
    columns, changes = share_columns(asked, outcome), None
    if actionable and isinstance(learned, TrainingRows):
        changes = find_changes(asked, outcome, actionable, learned)
    return TaskReasons(
        task,
        answered,
        outcome,
        columns,
        look_inside(asked, outcome, columns.moved),
        network_part(asked, task),
        changes,
    )


def chosen_tasks(run: Run, task: str | None) -> list[str]:
    """The tasks to explain; JobError for one that the run lacks."""
    have = list(run.job.tasks)
    if task is None:
        return have
    if task not in have:
        raise JobError(
            f"{run.path}: has no task '{task}'.{did_you_mean(task, have)} It has: "
            f"{', '.join(have)}."
        )
    return [task]


def check_row(loader: Loader, row: int) -> None:
    """TableError for a row that the table lacks."""
    rows = loader.table.rows
    if not 0 <= row < rows:
        raise TableError(
            f"{loader.table.source}: there is no row {row}; it has {rows} rows, counted from 0."
        )
