"""Whether several runs can be compared: the same tasks, asked of the same rows."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.errors import RunError
from modalloy.job import config
from modalloy.judge.figures import truth_of
from modalloy.judge.report import plain
from modalloy.table.fingerprints import fingerprints

SAME = ("type", "target", "labels", "scale", "unit", "on")  # of a task's options
NEW = "or compare them on rows that none of them has learned from: --table NEW"


class Asked(NamedTuple):
    """A run and the rows that it is asked about; truth: task -> right answers."""

    name: str
    predictor: Predictor
    loader: Loader
    which: np.ndarray
    truth: Mapping[str, Sequence[Any]]

    @classmethod
    def of(cls, name: str, predictor: Predictor, loader: Loader, which: np.ndarray) -> "Asked":
        """With the right answers of its rows."""
        return cls(name, predictor, loader, which, truth_of(loader, which))


def common_tasks(runs: Sequence[tuple[str, config.Job]]) -> dict[str, config.TaskOptions]:
    """The tasks that all runs have, in the order of the first; RunError where there is none, or one
    name stands for two tasks.
    """
    (first, job), *others = runs
    shared = [t for t in job.tasks if all(t in other.tasks for _, other in others)]
    if not shared:
        told = "; ".join(f"{name} answers {', '.join(j.tasks)}" for name, j in runs)
        raise RunError(f"compare: the runs have no task in common: {told}.")
    for task in shared:
        own = asked_of(job.tasks[task])
        for name, other in others:
            theirs = asked_of(other.tasks[task])
            if differ := [k for k in SAME if own[k] != theirs[k]]:
                told = "; ".join(f"{k} is {own[k]} and {theirs[k]}" for k in differ)
                raise RunError(
                    f"compare: '{task}' is another task in {first} than in {name} ({told}), so "
                    "their figures cannot stand side by side."
                )
    return {task: job.tasks[task] for task in shared}


def asked_of(options: config.TaskOptions) -> dict[str, Any]:
    """What a task asks, as far as figures depend on it."""
    return {key: getattr(options, key, None) for key in SAME}


def refuse_other_rows(runs: Sequence[Asked], tasks: Sequence[str]) -> None:
    """RunError unless all runs are asked about the same rows: as many, at the same places of the
    table, with the same cells in every column that any of the runs reads, and the same answers.
    """
    first, *others = runs
    for other in others:
        if len(first.which) != len(other.which):
            raise RunError(
                f"compare: {first.name} was tested on {len(first.which):,} rows and {other.name} "
                f"on {len(other.which):,}; train both with one split, {NEW}."
            )
        moved = np.flatnonzero(first.which != other.which)
        if len(moved):
            raise RunError(
                f"compare: {first.name} and {other.name} were tested on other rows: "
                f"{len(moved):,} of {len(first.which):,} differ, the first is row "
                f"{first.which[moved[0]]} and row {other.which[moved[0]]}; train both with one "
                f"split, {NEW}."
            )
        for job in (first.loader.job, other.loader.job):
            cells = [fingerprints(r.loader.table, job, r.which) for r in (first, other)]
            refuse_at(first, other, np.flatnonzero(cells[0] != cells[1]), "cells")
        for task in tasks:
            truths = [[plain(t) for t in r.truth[task]] for r in (first, other)]
            unequal = [i for i, (a, b) in enumerate(zip(*truths, strict=True)) if a != b]
            refuse_at(first, other, np.array(unequal, dtype=np.int64), f"answers to '{task}'")


def refuse_at(first: Asked, other: Asked, at: np.ndarray, what: str) -> None:
    """RunError where rows of two tables hold something else. at: among the test rows."""
    if len(at):
        raise RunError(
            f"compare: {first.name} and {other.name} were tested on other rows: the {what} of "
            f"{len(at):,} test rows differ between {first.loader.table.source} and "
            f"{other.loader.table.source}, first in row {first.which[at[0]]}."
        )
