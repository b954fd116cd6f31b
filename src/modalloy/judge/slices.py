"""Answers and columns in, figures of parts of the rows out: slices, groups, input cells."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from modalloy import config
from modalloy.judge.answers import Answers
from modalloy.judge.metrics import tally
from modalloy.judge.validate import names_of
from modalloy.model.batches import Rows

MOST_SLICES = 12  # values of a column that get a line of their own, commonest first
FEWEST = 5  # rows below which a slice says nothing


class Groups(NamedTuple):
    """The column that says which rows belong together, and each row's value of it."""

    column: str
    labels: list[str]


def slices(
    rows: Rows,
    which: np.ndarray,
    truth: Mapping[str, Sequence[Any]],
    answers: Answers,
    kinds: tuple[str, ...],
) -> dict[str, dict[str, Any]]:
    """Figures for the commonest values of every column of these kinds."""
    columns = [c for c, o in rows.job.columns.items() if o.type in kinds]
    if "group" in kinds and rows.job.split.by and rows.job.split.by not in columns:
        columns.append(rows.job.split.by)
    columns = [c for c in columns if c in rows.table.columns]
    found: dict[str, dict[str, Any]] = {}
    for column in columns:
        cells = np.array([str(c) for c in rows.table.cells(column, which)])
        values, counts = np.unique(cells, return_counts=True)
        common = [v for _, v in sorted(zip(-counts, values, strict=True))][:MOST_SLICES]
        for name, options in rows.job.tasks.items():
            for value in common:
                at = np.flatnonzero(cells == value).tolist()
                known = sum(truth[name][i] is not None for i in at)
                if known < FEWEST or len(values) < 2:
                    continue
                some = {k: a[at] for k, a in answers[name].items()}
                counted = tally(
                    options, [truth[name][i] for i in at], some, names_of(rows.targets[name])
                )
                figures = {**counted.score(), "rows": known}
                found.setdefault(name, {}).setdefault(column, {})[str(value)] = figures
    return found


def group_labels(rows: Rows, which: np.ndarray) -> Groups | None:
    """One label a row where the job names groups and these rows have two of them at least."""
    job, have = rows.job, set(rows.table.columns)
    typed = [c for c, o in job.columns.items() if isinstance(o, config.Group)]
    column = next((c for c in (job.split.by, *typed) if c is not None and c in have), None)
    if column is None:
        return None
    labels = [str(c) for c in rows.table.cells(column, which)]
    return Groups(column, labels) if len(set(labels)) > 1 else None


def input_shares(rows: Rows, which: np.ndarray) -> dict[str, dict[str, Any]]:
    """Type, unit and the share of missing and unreadable cells of every input column."""
    wanted = set(which.tolist())
    found = {}
    for name, reader in rows.readers.items():
        said = [s for r, s in rows.status[name].items() if r in wanted]
        total = max(1, len(which))
        found[name] = {
            "type": reader.kind,
            "unit": getattr(rows.job.columns[name], "unit", None),
            "missing": sum(s == "missing" for s in said) / total,
            "unreadable": sum(s.startswith("unreadable") for s in said) / total,
            "unknown": sum(s.startswith("unknown") for s in said) / total,
        }
    return found
