"""Figures of parts of the rows: slices, groups, input cells."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.answer.loader import Loader
from modalloy.answer.row_groups import names_at
from modalloy.cells.values import spelled
from modalloy.job import config
from modalloy.judge.metrics.bootstrap import intervals
from modalloy.judge.metrics.classes import ClassTally
from modalloy.judge.metrics.score import tally
from modalloy.judge.metrics.tally import Tally

MOST_SLICES = 12  # values of a column that get a line of their own, commonest first
FEWEST = 5  # rows below which a slice says nothing
RESAMPLES = 200  # for each interval


class Groups(NamedTuple):
    """The column that says which rows belong together, and each row's value of it."""

    column: str
    labels: list[str]


def slices(
    tasks: Mapping[str, config.TaskOptions],
    names: Mapping[str, Sequence[str] | None],
    columns: Mapping[str, Sequence[str]],
    truth: Mapping[str, Sequence[Any]],
    answers: Mapping[str, Answer],
    *,
    groups: Sequence[Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """Figures with intervals for the commonest values of every column.

    names: task -> its classes. columns: column -> each row's value. groups: one label for each row,
    as `intervals` takes them. Beside the figures stand `rows` (with a truth) and `values` (how many
    the column has).
    """
    found: dict[str, dict[str, Any]] = {}
    for name, options in tasks.items():
        called = names.get(name)
        whole = tally(options, truth[name], answers[name], called)
        for column, held in columns.items():
            value_B = np.array(held)
            values = np.unique(value_B)
            for value in commonest(value_B[whole.rows]) if len(values) > 1 else ():
                at = np.flatnonzero(value_B == value).tolist()
                some = {k: a[at] for k, a in answers[name].items()}
                counted = tally(options, [truth[name][i] for i in at], some, called)
                if isinstance(whole, ClassTally) and isinstance(counted, ClassTally):
                    counted.rarer = whole.rarer  # the same class in every line of the table
                labels = None if groups is None else [groups[i] for i in at]
                figures = {**figures_with_ends(counted, labels), "values": len(values)}
                found.setdefault(name, {}).setdefault(column, {})[value] = figures
    return found


def columns_of(loader: Loader, which: np.ndarray, kind: str) -> dict[str, list[str]]:
    """Column of this kind (`category`, `group`) -> what each row's cell is called."""
    columns = [c for c, o in loader.job.columns.items() if o.type == kind]
    if kind == "group" and loader.job.split.by and loader.job.split.by not in columns:
        columns.append(loader.job.split.by)
    return {c: names_at(loader, c, which) for c in columns if c in loader.table.columns}


def commonest(value_N: np.ndarray) -> list[str]:
    """Values with enough rows, the commonest first."""
    counts = Counter(value_N.tolist())
    order = sorted(counts, key=lambda value: (-counts[value], value))
    return [value for value in order if counts[value] >= FEWEST][:MOST_SLICES]


def figures_with_ends(counted: Tally, groups: Sequence[Any] | None) -> dict[str, Any]:
    """Figures of some rows with their intervals and the number of rows with a truth."""
    ends = intervals(counted, groups=groups, resamples=RESAMPLES)
    interval = {k: list(v) for k, v in ends.items()}
    return {**counted.score(), "interval": interval, "rows": len(counted.rows)}


def group_labels(loader: Loader, which: np.ndarray) -> Groups | None:
    """One label a row where the job names groups and these rows have two of them at least."""
    job, have = loader.job, set(loader.table.columns)
    typed = [c for c, o in job.columns.items() if isinstance(o, config.Group)]
    column = next((c for c in (job.split.by, *typed) if c is not None and c in have), None)
    if column is None:
        return None
    labels = [spelled(c) or "missing" for c in loader.table.written(column, which)]
    return Groups(column, labels) if len(set(labels)) > 1 else None


def input_shares(loader: Loader, which: np.ndarray) -> dict[str, dict[str, Any]]:
    """Type, unit and the share of missing and unreadable cells of every input column."""
    wanted = set(which.tolist())
    found = {}
    for name, reader in loader.readers.items():
        said = [s for r, s in loader.status[name].items() if r in wanted]
        total = max(1, len(which))
        found[name] = {
            "type": reader.kind,
            "unit": getattr(loader.job.columns[name], "unit", None),
            "missing": sum(s == "missing" for s in said) / total,
            "unreadable": sum(s.startswith("unreadable") for s in said) / total,
            "unknown": sum(s.startswith("unknown") for s in said) / total,
        }
    return found
