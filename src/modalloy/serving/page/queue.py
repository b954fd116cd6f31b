"""Rows that nobody has labelled, the least certain answers first: what a person looks at next."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from modalloy.answer.predictor import Predictor
from modalloy.deployment.log_query import Which
from modalloy.deployment.row_log import RowLog
from modalloy.errors import TableError
from modalloy.serving.page.shown import shown_cells
from modalloy.serving.plain import plain
from modalloy.table.open_table import open_table

if TYPE_CHECKING:
    import pandas as pd

ENOUGH = 2000  # newest rows without a label, that are looked at
OWN = ("row_id", "at", "version")


def queue_of(
    log: RowLog, predictor: Predictor, task: str, *, top: int, past: int = 0
) -> dict[str, Any]:
    """The `top` least certain rows without a label of this task, after so many `past` ones, of the
    newest `ENOUGH`.

    waiting: rows without one; since: the time of the oldest one that was looked at, None for all.
    """
    frame = log.answers(Which(labelled=False, task=task, newest=ENOUGH))
    waiting = log.rows() - log.labelled(task)
    if not len(frame):
        return {"task": task, "waiting": 0, "since": None, "rows": []}
    since = frame["at"].iloc[0].timestamp() if len(frame) < waiting else None
    doubt_N = doubts(frame, task, predictor.run.job.tasks[task])
    order = np.lexsort((-np.arange(len(frame)), -doubt_N))[past : past + top]
    rows = [one_row(log, predictor, frame.iloc[i], task, doubt_N[i]) for i in order]
    return plain({"task": task, "waiting": waiting, "since": since, "rows": rows})


def doubts(frame: "pd.DataFrame", task: str, options: Any) -> np.ndarray:
    """How little sure each answer is, (N,): from 0, and of numbers the width of their interval.

    Of classes one less the margin between the two likeliest, of labels that may stand together how
    near the least sure one is to even odds; of tags, texts and boxes one less the confidence in the
    least sure part. Rows unlike those of training come before others as sure.
    """
    match options.type:
        case "classify":
            names = [n for n in frame.columns if n.startswith(f"{task}.p[")]
            p_NC = np.nan_to_num(frame[names].to_numpy(np.float64))
            doubt_N = even(p_NC) if options.several else close(p_NC)
        case "regress":
            low, high = (ends(frame, f"{task}.{end}") for end in ("low", "high"))
            doubt_N = high - low
        case kind:
            name = f"{task}.scores" if kind == "locate" else f"{task}.confidence"
            doubt_N = 1 - np.array([least(cell) for cell in ends_or_lists(frame, name)])
    unlike = next((n for n in ("unlike.score", "row.unlike.score") if n in frame), None)
    more_N = np.zeros(len(frame)) if unlike is None else frame[unlike].to_numpy(np.float64)
    return np.nan_to_num(doubt_N) + 1e-9 * np.nan_to_num(more_N)


def close(p_NC: np.ndarray) -> np.ndarray:
    """One less the margin between the two likeliest classes, (N,)."""
    best_N2 = np.sort(np.pad(p_NC, ((0, 0), (2, 0))), axis=1)[:, -2:]
    return 1 - (best_N2[:, 1] - best_N2[:, 0])


def even(p_NC: np.ndarray) -> np.ndarray:
    """1 where some label is as likely as not, 0 where all are certain, (N,)."""
    return 1 - 2 * np.abs(p_NC - 0.5).min(axis=1, initial=0.5)


def ends(frame: "pd.DataFrame", name: str) -> np.ndarray:
    """A column of numbers, zeros where answers have none."""
    return frame[name].to_numpy(np.float64) if name in frame else np.zeros(len(frame))


def ends_or_lists(frame: "pd.DataFrame", name: str) -> list[Any]:
    """A column whose cells are numbers or lists, None where answers have none."""
    return frame[name].tolist() if name in frame else [None] * len(frame)


def least(cell: Any) -> float:
    """The smallest number of a cell; 1 where it has none."""
    found = np.atleast_1d(np.asarray([] if cell is None else cell, dtype=np.float64))
    return float(np.nanmin(found)) if found.size and not np.isnan(found).all() else 1.0


def one_row(
    log: RowLog, predictor: Predictor, answer: Any, task: str, doubt: float
) -> dict[str, Any]:
    """A row of the queue: its answer, its cells as the page shows them, and its `own` cell that the
    answer lies on.

    A row that this version cannot read any more has none, and `unreadable` says why.
    """
    told = {n: v for n, v in answer.items() if n not in OWN and not str(n).startswith("status.")}
    at = answer["at"].timestamp()
    found = {"id": answer["row_id"], "at": at, "version": answer["version"], "doubt": doubt}
    try:
        loader, _ = predictor.open(row_of(log, answer["row_id"]))
        cells = shown_cells(loader, 0)
        on = getattr(predictor.run.job.tasks[task], "on", None)
        own = {} if on is None else {on: loader.cells([on], np.array([0]))[on][0]}
    except TableError as error:
        return {**found, "answer": told, "cells": [], "own": {}, "unreadable": str(error)}
    return {**found, "answer": told, "cells": cells, "own": own}


def row_of(log: RowLog, row_id: str) -> Any:
    """A table with one row of the log, its media read from there."""
    frame = log.frame(Which(ids=[row_id]))
    names: Mapping[str, str] = frame.attrs["logged"]
    own = frame.drop(columns=list(names.values()))
    if not len(own):
        raise TableError("the row was let go while it was looked for")
    row = {n: own[n].iloc[0] for n in own.columns}
    return open_table([row], folder=log.folder)
