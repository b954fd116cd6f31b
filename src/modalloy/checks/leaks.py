"""Groups of equal rows on both sides of a split, through which answers could be looked up."""

from collections.abc import Iterator

import numpy as np

from modalloy.cells.cells import empty
from modalloy.checks.column_values import spread, values
from modalloy.checks.finding import Finding, finding, share, some
from modalloy.checks.name_hints import names_a_group
from modalloy.checks.target_findings import Truth
from modalloy.job import config
from modalloy.job.inputs import inputs, read_columns
from modalloy.table.split import Parts
from modalloy.table.table import Table
from modalloy.table.twin_columns import twin_variables
from modalloy.tasks.kit import kit_of

AGREED = 0.8  # of the agreement beyond chance that there could be: the answer can be looked up
LEAST = 5  # different values of a column that names things
MOST = 0.5  # the same as a share of the rows
MANY = 20  # different values of a column that looks like an identifier, whatever its name
NEXT = 0.4  # agreement of neighbouring numbers, above which they are amounts
SHOWN, WORDS, LETTERS = 1_000, 4, 40  # cells looked at; words and letters of a name
FINER = 5  # times as many values as there are answers: fewer may be classes of classes


def group_findings(
    job: config.Job, table: Table, parts: Parts, truths: list[Truth]
) -> Iterator[Finding]:
    """Columns that say which rows belong together and have the same values on both sides.

    A leak where rows were drawn at random although such a column was there, or where a declared
    group (`type: group`, `split.by`) answers a task; else a warning. What was set in each run of a
    twin names no thing.
    """
    declared, targets = declared_groups(job), {t.goal.target for t in truths}
    skipped = targets | {job.split.column, job.split.time} | _kept_apart(job, table, parts)
    skipped |= twin_variables(table)
    for column in table.columns:
        wanted = column in declared or names_a_group(column)
        if not wanted or column in skipped or table.kind(column) in ("list", "other", "time"):
            continue
        codes = table.codes(column)[0]
        both = on_both_sides(codes, parts)
        if both.any() and column in declared:
            yield _declared(job, column, codes, both, parts, truths)
        elif both.any():
            yield from _suspected(job, column, codes, both, parts, truths)


def likely_groups(
    job: config.Job, table: Table, parts: Parts, truths: list[Truth]
) -> Iterator[Finding]:
    """Columns that no input reads and whose name says nothing, but whose repeated values settle a
    target while rows were drawn at random.
    """
    if job.split.random is None:
        return
    read = {*read_columns(job), *declared_groups(job), *(c for t in truths for c in _of_task(t))}
    read |= twin_variables(table)
    for column in table.columns:
        if column in read or names_a_group(column) or table.kind(column) not in ("text", "number"):
            continue
        codes, distinct = values(table, column, parts.train)
        filled = int((codes >= 0).sum())
        if not MANY <= distinct <= MOST * filled or not _names_things(table, column, parts.train):
            continue
        told = [
            t.goal.target
            for t in truths
            if distinct >= FINER * _answers(t, parts.train)
            and _looked_up(codes, t, parts.train)
            and not (table.kind(column) == "number" and _neighbours(codes, t, parts.train))
        ]
        if told:
            what = (
                f"rows with the same {column} have the same {some(told)}, and the split puts them "
                f"on both sides; if it names one thing, write split: {{by: {column}}}"
            )
            yield finding("warning", column, what)


def _of_task(truth: Truth) -> list[str]:
    """Columns that belong to a task."""
    return [*truth.goal.answers_in.values()]


def _names_things(table: Table, column: str, rows: np.ndarray) -> bool:
    """Whether cells are short texts or whole numbers."""
    shown = [c for c in table.cells(column, spread(rows, SHOWN)) if not empty(c)]
    if table.kind(column) == "number":
        return all(np.isfinite(c) and c == int(c) for c in shown)
    return all(len(c.split()) <= WORDS and len(c) <= LETTERS for c in shown)


def _answers(truth: Truth, rows: np.ndarray) -> int:
    """How many different answers a task of classes has, 1 for other tasks."""
    kit = kit_of(truth.goal)
    if kit.numbers or not kit.whole_row:
        return 1
    return len({repr(a) for a in truth.answers[rows] if a is not None})


def _neighbours(codes: np.ndarray, truth: Truth, rows: np.ndarray) -> bool:
    """Whether the next larger value answers too: an amount then, no number of a thing."""
    kinds, first = np.unique(codes, return_index=True)
    first = first[kinds >= 0]
    return agreement(truth, rows[np.stack([first[:-1], first[1:]], axis=1)], rows) >= NEXT


def _kept_apart(job: config.Job, table: Table, parts: Parts) -> set[str]:
    """Columns that only together name the recordings of a history, none of them on both sides."""
    apart: set[str] = set()
    for options in inputs(job).values():
        if isinstance(options, config.Series) and options.history is not None:
            by = options.history.by
            codes = np.stack([table.codes(column)[0] for column in by], axis=1)
            together = np.unique(codes, axis=0, return_inverse=True)[1].reshape(-1)
            if not on_both_sides(together, parts).any():
                apart |= set(by)
    return apart


def declared_groups(job: config.Job) -> list[str]:
    """Columns that the job calls groups."""
    typed = [name for name, o in job.columns.items() if isinstance(o, config.Group)]
    return list(dict.fromkeys([*typed, *([job.split.by] if job.split.by else [])]))


def on_both_sides(codes: np.ndarray, parts: Parts) -> np.ndarray:
    """Which test rows have a value that training rows have too, (test rows,) bool."""
    test = codes[parts.test]
    return np.isin(test, codes[parts.train]) & (test >= 0)


def _declared(
    job: config.Job,
    column: str,
    codes: np.ndarray,
    both: np.ndarray,
    parts: Parts,
    truths: list[Truth],
) -> Finding:
    rows = parts.test[both]
    what = f"{share(len(rows), len(both))} of the test rows share their {column} with training rows"
    told = [t.goal.target for t in truths if _looked_up(codes[parts.train], t, parts.train)]
    if job.split.random is not None:
        return finding("leak", column, f"{what}; write split: {{by: {column}}}", rows)
    if told:
        what = f"{what}, and the {column} tells {some(told)}; split by it, or give it type: ignore"
        return finding("leak", column, what, rows)
    return finding("warning", column, f"{what}; split by it for figures on unseen ones", rows)


def _suspected(
    job: config.Job,
    column: str,
    codes: np.ndarray,
    both: np.ndarray,
    parts: Parts,
    truths: list[Truth],
) -> Iterator[Finding]:
    """A column that by its name and its repeated values says which thing a row is about."""
    train = codes[parts.train]
    distinct = len(np.unique(train[train >= 0]))
    if not LEAST <= distinct <= MOST * len(train):
        return
    told = [t.goal.target for t in truths if _looked_up(train, t, parts.train)]
    rows = parts.test[both]
    what = f"{share(len(rows), len(both))} of the test rows share their {column} with training rows"
    if column in read_columns(job):
        yield finding("note", column, f"{what}: the figures hold for known ones", rows)
        return
    what += f", and it tells {some(told)}" if told else ""
    # Left out on purpose is an answer; not being mentioned at all is none.
    grave = bool(told) and job.split.random is not None and column not in job.columns
    advice = f"if it names one thing, write split: {{by: {column}}}"
    yield finding("leak" if grave else "warning", column, f"{what}; {advice}", rows)


def _looked_up(codes: np.ndarray, truth: Truth, rows: np.ndarray) -> bool:
    """Whether the answer of a row is that of other training rows of its group."""
    order = np.argsort(codes, kind="stable")
    order = order[codes[order] >= 0]
    same = codes[order[1:]] == codes[order[:-1]]
    pairs = np.stack([rows[order[:-1][same]], rows[order[1:][same]]], axis=1)
    return agreement(truth, pairs, rows) >= AGREED


def agreement(truth: Truth, pairs: np.ndarray, rows: np.ndarray) -> float:
    """How much better than chance two rows of a pair agree in their answers: 0 chance, 1 always.

    Numbers: 1 - mean squared difference over that of rows drawn at random. Where no pair has two
    answers: 0. pairs: (P, 2) row numbers; rows: where chance is taken from.
    """
    a, b = truth.answers[pairs[:, 0]], truth.answers[pairs[:, 1]]
    both = np.array(
        [x is not None and y is not None for x, y in zip(a, b, strict=True)], dtype=bool
    )
    everyone = truth.answers[rows]
    everyone = everyone[[x is not None for x in everyone]]
    if not both.any():
        return 0.0
    if kit_of(truth.goal).numbers:
        x_N = everyone.astype(np.float64)
        a_P, b_P = a[both].astype(np.float64), b[both].astype(np.float64)
        most = max(np.abs(x).max(initial=1e-300) for x in (x_N, a_P, b_P))  # no square overflows
        spread = 2.0 * (x_N / most).var()
        apart = np.square(a_P / most - b_P / most).mean()
        return float(1.0 - apart / max(spread, 1e-300))
    alike = np.mean([repr(x) == repr(y) for x, y in zip(a[both], b[both], strict=True)])
    counts = np.unique([repr(x) for x in everyone], return_counts=True)[1]
    chance = float(np.square(counts / counts.sum()).sum())
    return 1.0 if alike == 1.0 else float((alike - chance) / (1.0 - chance))
