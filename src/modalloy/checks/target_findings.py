"""Findings on targets: missing answers, rare classes, outliers, texts that are cut."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from modalloy.checks.finding import Finding, counted, finding, share, some
from modalloy.checks.malformed_numbers import marks_told
from modalloy.checks.media_scan import Files
from modalloy.checks.spelling import say_alike, spelled_alike
from modalloy.errors import JobError, TableError
from modalloy.job import config
from modalloy.job.costs import costs_of
from modalloy.readers.build import fit_target, target_of
from modalloy.readers.outliers import LARGEST, outlying, times_spread
from modalloy.readers.targets.classify import ClassTarget
from modalloy.readers.targets.generate import TextTarget
from modalloy.readers.targets.locate import BoxTarget, enough_queries
from modalloy.readers.targets.target import TargetReader
from modalloy.table.split import Parts
from modalloy.table.table import Table
from modalloy.tasks.kit import kit_of

RARE = 5  # training rows under which a class cannot be learned
LOPSIDED = 0.9  # share of the largest class above which accuracy says nothing
UNEVEN = 0.8  # the same above which it says little
TOLD = 3  # answers that a sentence quotes


class Truth(NamedTuple):
    """The right answers of one task in every row of the table, None where there is none.

    Answers are names, lists of names or tags, numbers, or dictionaries of boxes.
    """

    task: str
    goal: config.TaskOptions
    answers: np.ndarray


def truths(job: config.Job, table: Table, parts: Parts) -> tuple[list[Truth], list[Finding]]:
    """The answers of every task that can be learned, and what is wrong with the others."""
    known, found = [], []
    for task, goal in job.tasks.items():
        try:
            reader = fit_target(task, goal, lambda columns: table.take(columns, parts.train))
            answers = _answers(reader, table, np.arange(table.rows))
            limit = goal.found_at_most(job.columns)
            if limit is not None and isinstance(reader, BoxTarget):
                enough_queries(task, limit, reader.most)
            if isinstance(reader, ClassTarget):
                costs_of(task, getattr(goal, "decide", None), reader.names, reader.counts)
            if isinstance(reader, TextTarget):
                found += _cut_short(reader, answers, parts.train)
        except JobError as error:
            found.append(finding("error", goal.target, str(error)))
            continue
        except TableError as error:
            rows = _bad_rows(task, goal, table)
            found.append(finding("error", goal.target, str(error), rows))
            continue
        known.append(Truth(task, goal, answers))
    return known, found


def target_findings(truth: Truth, table: Table, parts: Parts) -> Iterator[Finding]:
    """Missing answers, rare classes, one class that outweighs the others or is alone in the test
    rows, infinite numbers.

    Kinds of tags and names of boxes count as classes.
    """
    target, kit = truth.goal.target, kit_of(truth.goal)
    rows = np.concatenate(parts)
    given = np.array([a is not None for a in truth.answers[rows]], dtype=bool)
    if not given.all():
        what = f"{share(int((~given).sum()), len(rows))} of the rows have no answer to learn from"
        if kit.numbers:
            told = marks_told(table.written(target, rows))
            what = f"{what}; {told}" if told else what
        yield finding("note" if given.mean() > 0.5 else "warning", target, what, rows[~given])
    for part in ("validation", "test", "calibration"):
        own = getattr(parts, part)
        if len(own) and all(a is None for a in truth.answers[own]):
            yield finding("warning", target, f"no {part} row has an answer to be judged by")
    answers = truth.answers[parts.train]
    train = parts.train[[a is not None for a in answers]]
    if kit.numbers:
        yield from _infinite(target, table, rows)
        yield from _outlying(truth, rows, parts)
        yield from _amounts(truth, train)
        return
    yield from _rare(truth, parts)
    yield from _alike(truth, rows)
    if kit.whole_row:
        yield from _lopsided(truth, train)
        yield from _one_sided(truth, parts)


def _cut_short(reader: TextTarget, answers: np.ndarray, rows: np.ndarray) -> list[Finding]:
    """Training answers of which only the first pieces are learned."""
    rows = rows[[a is not None for a in answers[rows]]]
    lengths = reader.lengths(list(answers[rows]))
    beyond = lengths > reader.longest
    if not beyond.any():
        return []
    long = int(beyond.sum())
    verb = "is longer than" if long == 1 else "are longer than"
    what = (
        f"{long} of {counted(len(rows), 'training answer')} {verb} max_tokens {reader.longest}, "
        f"and {'is' if long == 1 else 'are'} cut; the longest takes {lengths.max()}"
    )
    return [finding("warning", reader.column, what, rows[beyond])]


def box_findings(truth: Truth, files: Files) -> Iterator[Finding]:
    """Boxes that reach beyond their picture."""
    beyond = []
    for row, place in zip(files.rows, files.index, strict=True):
        answer = truth.answers[row]
        if place < 0 or answer is None or not len(answer["boxes"]) or files.seen[place].fault:
            continue
        width, height = files.seen[place].size
        boxes = answer["boxes"]
        # A pixel of slack: some tools count corners from 1.
        if boxes.min() < -1 or boxes[:, 2].max() > width + 1 or boxes[:, 3].max() > height + 1:
            beyond.append(int(row))
    if beyond:
        what = f"{counted(len(beyond), 'row')} with boxes that reach beyond their picture"
        yield finding("warning", truth.goal.target, what, beyond)


def _classes_of(truth: Truth, row: int) -> set[str]:
    """The classes that the answer of one row names: labels, kinds of tags, names of boxes."""
    answer = truth.answers[row]
    return set() if answer is None else target_of(truth.goal).classes(answer)


def _rare(truth: Truth, parts: Parts) -> Iterator[Finding]:
    """Classes with few training rows, or none although other parts have them."""
    target, held = truth.goal.target, {}
    for part, rows in parts._asdict().items():
        named = ((_classes_of(truth, row), row) for row in rows)
        held[part] = [(name, row) for names, row in named for name in names]
    counts = {part: Counter(name for name, _ in of) for part, of in held.items()}
    train = counts["train"]
    rare = {name for name, count in train.items() if count < RARE}
    if rare:
        rows = dict.fromkeys(row for name, row in held["train"] if name in rare)
        told = some(f"{name} ({train[name]})" for name in sorted(rare))
        what = f"{_have(rare)} fewer than {RARE} training rows: {told}"
        yield finding("warning", target, what, rows)
    others = held["validation"] + held["test"] + held["calibration"]
    unseen = sorted({name for name, _ in others} - set(train))
    if unseen:
        rows = dict.fromkeys(row for name, row in others if name in set(unseen))
        told = some(f"{name} ({_where(name, counts)})" for name in unseen)
        what = f"{_have(unseen)} no training row and can never be the answer: {told}"
        yield finding("warning", target, what, rows)


def _alike(truth: Truth, rows: np.ndarray) -> Iterator[Finding]:
    """Classes that a reader would take for one."""
    held = [(name, row) for row in rows for name in _classes_of(truth, row)]
    counts = Counter(name for name, _ in held)
    if told := say_alike(counts):
        odd = {name for group in spelled_alike(counts) for name in group[1:]}
        what = f"{told}: classes of their own; write them alike if they mean the same"
        wrong = dict.fromkeys(row for name, row in held if name in odd)
        yield finding("warning", truth.goal.target, what, wrong)


def _have(names: Collection[str]) -> str:
    return "1 class has" if len(names) == 1 else f"{len(names)} classes have"


def _where(name: str, counts: dict[str, Counter[str]]) -> str:
    """In how many rows of the other parts a class stands."""
    own = {part: counts[part][name] for part in ("validation", "test", "calibration")}
    return ", ".join(f"{count} {part}" for part, count in own.items() if count)


def _lopsided(truth: Truth, rows: np.ndarray) -> Iterator[Finding]:
    """One class that outweighs the others; with several labels a row, each label counts."""
    counts = Counter(name for row in rows for name in _classes_of(truth, row))
    for name, most in counts.most_common(1):
        what = f"{share(most, len(rows))} of the training rows are '{name}'"
        what = f"{what}; judge by macro_f1 or auroc"
        if most >= LOPSIDED * len(rows):
            what = f"{what}, and consider class_weights: balanced"
            yield finding("warning", truth.goal.target, what)
        elif most >= UNEVEN * len(rows):
            yield finding("note", truth.goal.target, what)


def _one_sided(truth: Truth, parts: Parts) -> Iterator[Finding]:
    """Test rows of a single class: whoever always names it answers all of them."""
    train, test = (
        {n for r in rows for n in _classes_of(truth, r)} for rows in (parts.train, parts.test)
    )
    if len(test) == 1 and train - test:
        what = f"all test rows with an answer are '{min(test)}': figures say nothing of "
        what += f"{some(map(repr, sorted(train - test)))}; another seed or split may draw more"
        yield finding("warning", truth.goal.target, what)


def _infinite(target: str, table: Table, rows: np.ndarray) -> Iterator[Finding]:
    """Infinite numbers, which cannot be learned."""
    infinite = rows[np.isinf(table.numbers(target, rows))]
    if len(infinite):
        what = f"{counted(len(infinite), 'infinite answer')}, taken as missing"
        yield finding("warning", target, what, infinite)


def _outlying(truth: Truth, rows: np.ndarray, parts: Parts) -> Iterator[Finding]:
    """Answers far beyond all others, as one wrong cell may be: squares of errors see them alone."""
    rows = rows[[a is not None for a in truth.answers[rows]]]
    y = truth.answers[rows].astype(np.float64)
    beyond = outlying(y)
    if not beyond.any():
        return
    order = np.argsort(-np.abs(y[beyond]), kind="stable")
    wild, of = rows[beyond][order], np.abs(y[beyond][order])
    times = times_spread(y[beyond][order], y[~beyond])
    told = [
        f"row {row}: {truth.answers[row]:g} is {n:.2g} times the spread of the others"
        for row, n in zip(wild[:TOLD], times, strict=False)
    ]
    what = "; ".join(told) + ("; ..." if len(wild) > TOLD else "")
    if of[0] > LARGEST:
        yield finding("error", truth.goal.target, f"{what}; mend or empty the cell", wild)
        return
    learned = np.isin(wild, parts.train).sum()
    if learned:
        what = f"{what}; training takes {learned} of them for the farthest of the others"
    if learned < len(wild):
        what = f"{what}; squares of errors (rmse, r2) would tell of them alone"
    yield finding("warning", truth.goal.target, f"{what}; mend or empty the cell", wild)


def _amounts(truth: Truth, rows: np.ndarray) -> Iterator[Finding]:
    """One number that stands for most rows, and amounts that span magnitudes."""
    y = truth.answers[rows].astype(np.float64)
    numbers, counts = np.unique(y, return_counts=True)
    if counts.max() > 0.5 * len(y):
        most = numbers[counts.argmax()]
        what = f"{share(int(counts.max()), len(y))} of the training rows are {most:g}"
        yield finding("note", truth.goal.target, what)
    middle, high = np.quantile(y, [0.5, 0.99])
    linear = getattr(truth.goal, "scale", None) == "linear"
    if linear and y.min() >= 0 and middle > 0 and high > 100 * middle:
        what = (
            f"amounts span magnitudes (middle {middle:g}, largest hundredth above {high:g}); "
            "consider scale: log"
        )
        yield finding("note", truth.goal.target, what)


def _answers(reader: TargetReader, table: Table, rows: np.ndarray) -> np.ndarray:
    """What a person would write, as an object array."""
    found = np.empty(len(rows), dtype=object)
    for row, answer in enumerate(reader.truth(table.take(reader.columns, rows))):
        found[row] = answer
    return found


def _bad_rows(task: str, goal: config.TaskOptions, table: Table) -> list[int]:
    """Rows whose answer cannot be read; none where only the rows together are at fault."""
    reader = target_of(goal).blank(task, goal)
    cells = table.take(reader.columns, np.arange(table.rows))
    bad = []
    for row in range(table.rows):
        one = {c: cells[c][row : row + 1] for c in reader.columns}
        try:
            reader.truth(replace(cells, columns=one))
        except TableError:
            bad.append(row)
    return bad
