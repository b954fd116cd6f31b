"""Findings on input columns: empty, constant, identifying, badly spelled."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from modalloy.cells.cells import empty
from modalloy.checks.column_values import LISTS, spread, values
from modalloy.checks.finding import Finding, finding, share
from modalloy.checks.name_hints import names_rows
from modalloy.checks.spelling import say_alike, spelled_alike
from modalloy.checks.unreadable import cell_findings
from modalloy.job import config
from modalloy.job.inputs import read_columns
from modalloy.table.split import Parts
from modalloy.table.table import Table

CODES = 1_000  # cells that are looked at to tell a text from a code
FEW = 20  # cells that may all differ without naming rows
MOSTLY = 0.5  # share of missing cells that deserves more than a note
HARDLY = 0.05  # share of missing cells under which an otherwise constant column teaches nothing
CODE = re.compile(r"(?=.*[0-9])[A-Za-z0-9_.:/#-]{1,64}")  # one word with a digit, as codes are


def column_findings(job: config.Job, table: Table, parts: Parts) -> Iterator[Finding]:
    """Empty, constant, identifying and partly missing columns; cells that cannot be read."""
    readers, hopeless = read_columns(job), set()
    targets = {goal.target for goal in job.tasks.values()}
    for column in table.columns:
        if column in targets:
            continue
        for found in _one_column(column, readers.get(column), table, parts):
            hopeless |= {column} if found.level == "error" else set()
            yield found
    for name, options in job.columns.items():
        if name not in hopeless:
            yield from cell_findings(name, options, table, parts)
    for name in _named(job):
        if name not in hopeless and table.kind(name) == "text":
            yield from _alike(name, table, parts)


def _named(job: config.Job) -> list[str]:
    """Columns whose cells are names: categories, groups and what the split keeps together."""
    named = [n for n, o in job.columns.items() if isinstance(o, config.Category | config.Group)]
    return list(dict.fromkeys([*named, *([job.split.by] if job.split.by else [])]))


def _alike(name: str, table: Table, parts: Parts) -> Iterator[Finding]:
    """Names of a category or a group that a reader would take for one."""
    codes, names = table.codes(name)
    rows = np.concatenate(parts)
    rows = rows[codes[rows] >= 0]
    held = np.bincount(codes[rows], minlength=len(names))
    counts = Counter[str]()
    for value, count in zip(names, held.tolist(), strict=True):
        if count:
            counts[str(value)] += count
    if told := say_alike(counts):
        odd = {n for group in spelled_alike(counts) for n in group[1:]}
        wrong = np.array([str(value) in odd for value in names], dtype=bool)
        what = f"{told}: names of their own; write them alike if they mean the same"
        yield finding("warning", name, what, rows[wrong[codes[rows]]])


def _one_column(column: str, options: Any, table: Table, parts: Parts) -> Iterator[Finding]:
    """What the pattern of different and missing cells shows."""
    rows = np.concatenate(parts)
    if table.kind(column) in ("list", "other"):
        rows = spread(rows, LISTS)
    codes, distinct = values(table, column, rows)
    lacking = rows[codes < 0]
    if distinct == 0:
        level = "note" if options is None else "error"
        yield finding(level, column, "every cell is empty; leave the column out")
        return
    learned = np.isin(rows, parts.train)
    if options is not None and not (codes[learned] >= 0).any():
        yield finding("error", column, "every training cell is empty; leave the column out")
        return
    lists = table.kind(column) in ("list", "other")
    same = distinct == 1 and len(rows) > 1 and not lists
    if len(lacking):
        known = options is not None
        level = "warning" if known and len(lacking) > MOSTLY * len(rows) else "note"
        what = f"{share(len(lacking), len(rows))} of the cells are missing"
        if same:
            level = "warning" if known and len(lacking) < HARDLY * len(rows) else level
            value = table.cells(column, rows[codes >= 0][:1])[0]
            what = f"{what}, the others all hold {value!r:.40}: it only tells whether it is there"
        yield finding(level, column, what, lacking)
    if lists:
        return
    if same and not len(lacking):
        level = "note" if options is None else "warning"
        value = table.cells(column, rows[:1])[0]
        yield finding(level, column, f"every cell holds {value!r:.40}; it teaches nothing")
    elif options is not None and distinct > 1 and _one_value(codes[learned]):
        value = table.cells(column, rows[learned & (codes >= 0)][:1])[0]
        others = (codes >= 0) & (codes != codes[learned].max())
        what = (
            f"every training cell holds {value!r:.40}, {share(others.sum(), len(rows))} of the "
            "rows hold something else: it teaches nothing, and what that means nobody has "
            "learned; leave the column out"
        )
        yield finding("warning", column, what, rows[others])
    elif options is not None and _tells_rows_apart(column, options, table, rows, codes):
        yield finding(
            "warning",
            column,
            f"all {distinct} values differ: it names rows instead of describing them; give it "
            "type: ignore",
        )


def _one_value(codes: np.ndarray) -> bool:
    """Whether training cells hold one value, but for a few that may be missing."""
    known = codes[codes >= 0]
    few = len(codes) - len(known) < max(1, HARDLY * len(codes))
    return len(known) > 1 and len(np.unique(known)) == 1 and few


def _tells_rows_apart(
    column: str, options: Any, table: Table, rows: np.ndarray, codes: np.ndarray
) -> bool:
    """Whether an input is an identifier: a name of its own for each row, or a running number."""
    filled = int((codes >= 0).sum())
    if filled < FEW or len(np.unique(codes[codes >= 0])) < filled:
        return False
    match options:
        case config.Category():
            return True
        case config.Text() if table.kind(column) == "text":
            some = [c for c in table.cells(column, spread(rows, CODES)) if not empty(c)]
            return all(CODE.fullmatch(c.strip()) for c in some)
        case config.Number() if table.kind(column) == "number":
            x = table.numbers(column)
            x = x[np.isfinite(x)]
            whole = len(x) == filled and bool((x == np.floor(x)).all())
            return whole and (names_rows(column) or np.ptp(x) < 2 * filled)
        case _:
            return False
