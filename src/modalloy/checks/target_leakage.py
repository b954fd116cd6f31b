"""Input columns that tell a task's answers on their own."""

from collections.abc import Container, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from modalloy.checks.column_values import few_at_once, spread, values
from modalloy.checks.finding import Finding, finding, share, some
from modalloy.checks.name_hints import tells
from modalloy.checks.near_duplicates import as_text
from modalloy.checks.similarity import plain
from modalloy.checks.target_findings import Truth
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.job.inputs import inputs, read_columns
from modalloy.readers.build import target_of
from modalloy.table.split import Parts
from modalloy.table.table import Table
from modalloy.table.twin_columns import twin_variables

ROWS = 5_000  # training rows that are looked at
FOLDS = 5
BINS = 64  # quantiles that a number is cut into
SURE = 0.99  # AUROC, or share of the ranks' variance, that only the answer itself reaches
SUSPECT = 0.97
WHOLLY = 0.9999  # AUROC of a class that a column tells without a mistake
LOPSIDED = 0.95  # share of the largest class above which AUROC says little
LEAST = 20  # rows with an answer
MOSTLY = 0.95  # texts that name their class, above which they say the answer
NAMED = 3  # letters of a class's name, below which a text holds it by chance
WORDS = 1_000  # words of a text that are looked at
PRIOR = 0.05  # rows that the mean of all counts for in each value


class Asked(NamedTuple):
    """A task's answers in some rows, as `score` takes them.

    y_NC: 0 or 1 for each class, or one column of ranks. fold: (N,), whole groups together. names:
    of the classes, in the order of y_NC.
    """

    target: str
    rows: np.ndarray
    y_NC: np.ndarray
    fold: np.ndarray
    classes: bool
    names: Sequence[str] = ()

    @property
    def lopsided(self) -> bool:
        """Whether one class outweighs the others so much that scores say little."""
        return self.classes and float(self.y_NC.mean(axis=0).max()) >= LOPSIDED


def telltale_findings(
    job: config.Job, table: Table, parts: Parts, truths: list[Truth], groups: np.ndarray | None
) -> Iterator[Finding]:
    """Inputs that tell an answer alone, or only by being empty; dates that do so in pairs; names.

    groups: number of each table row's group, so that knowing a group does not count as knowing the
    answer; None without groups. What was set in each run of a twin is passed over: answers follow
    from it, and it is known beforehand.
    """
    causes = twin_variables(table)
    for truth in truths:
        for name in inputs(job):
            if name not in causes and tells(name, truth.goal.target):
                what = f"is named after the target {truth.goal.target}; is it known beforehand?"
                yield finding("warning", name, what)
        asked = _ask(truth, spread(parts.train, ROWS), groups)
        if asked is not None:
            yield from _columns(job, table, asked, causes)


def score(codes: np.ndarray, asked: Asked) -> float:
    """How well values tell answers: mean AUROC over classes or R2 of ranks, cross-validated.

    Each value answers with the mean of the other folds' rows that have it. codes: number of each
    row's value from 0 up, (N,). 0 where nothing is told.
    """
    told = [s for s in scores(codes, asked) if s is not None]
    return float(np.mean(told)) if told and codes.max(initial=0) else 0.0


def scores(codes: np.ndarray, asked: Asked) -> list[float | None]:
    """The same for each class, None for one with too few rows."""
    kinds, fold = int(codes.max(initial=0)) + 1, asked.fold
    cell = codes * FOLDS + fold
    count_VF = np.bincount(cell, minlength=kinds * FOLDS).reshape(kinds, FOLDS)
    counts = (count_VF.sum(axis=1, keepdims=True) - count_VF)[codes, fold]
    found: list[float | None] = []
    for y in asked.y_NC.T:
        sum_VF = np.bincount(cell, weights=y, minlength=kinds * FOLDS).reshape(kinds, FOLDS)
        sums = (sum_VF.sum(axis=1, keepdims=True) - sum_VF)[codes, fold]
        guess = (sums + PRIOR * y.mean()) / (counts + PRIOR)
        missed = np.square(y - guess).mean() / y.var() if not asked.classes else 0.0
        found.append(_auroc(y, guess) if asked.classes else float(1 - missed))
    return found


def rising(x: np.ndarray, asked: Asked) -> float:
    """How well amounts tell amounts by rising or falling with them: R2 of ranks.

    Quantiles hold too few of some hundred rows to see it. x: (N,), NaN where missing; only the rows
    that have one count, if half of all do.
    """
    rows = np.flatnonzero(np.isfinite(x))
    if len(rows) < max(LEAST, len(x) / 2):
        return 0.0
    a, y = _ranks(x[rows]), _ranks(asked.y_NC[rows, 0])
    return float(np.corrcoef(a, y)[0, 1] ** 2) if np.ptp(a) and np.ptp(y) else 0.0


def _columns(
    job: config.Job, table: Table, asked: Asked, causes: Container[str]
) -> Iterator[Finding]:
    """Every input column on its own but causes, then every pair of dates."""
    dates: dict[str, np.ndarray] = {}
    for column, options in read_columns(job).items():
        if column in causes:
            continue
        empty = (values(table, column, asked.rows)[0] < 0).astype(np.int64)
        if found := _judged(column, "by being empty or not", empty, asked):
            yield found
            continue
        x = _amounts(column, options, table, asked.rows)
        if isinstance(options, config.Time) and x is not None:
            dates[column] = x
        codes = _names(column, options, table, asked.rows) if x is None else _binned(x)
        if codes is not None and (found := _judged(column, "on its own", codes, asked, x)):
            yield found
            continue
        wordy = isinstance(options, config.Text | config.Tokens) and asked.classes
        if wordy and (found := _said(column, table, asked)):
            yield found
    for (one, x), (other, z) in combinations(dates.items(), 2):
        if found := _judged(other, f"together with {one}", _binned(z - x), asked, z - x):
            yield found


def _judged(
    column: str, how: str, codes: np.ndarray, asked: Asked, x: np.ndarray | None = None
) -> Finding | None:
    """A leak where only the answer itself could tell so well, a warning where it is near that.

    x: the amounts that the codes stand for, where they are amounts.
    """
    if _one_to_one(codes, asked):
        what = f"tells {asked.target} {how}: each of its values is one class; leave the column out"
        return finding("leak", column, what)
    found = score(codes, asked)
    if x is not None and not asked.classes:
        found = max(found, rising(x, asked))
    if found < SUSPECT:
        return _one_class(column, how, codes, asked)
    measure = "AUROC" if asked.classes else "R2 of ranks"
    what = f"tells {asked.target} {how} ({measure} {found:.3f})"
    if found >= SURE and not asked.lopsided:
        return finding("leak", column, f"{what}: known only afterwards, it seems; leave it out")
    return finding("warning", column, f"{what}: make sure that it is known beforehand")


def _one_class(column: str, how: str, codes: np.ndarray, asked: Asked) -> Finding | None:
    """A warning where single classes are told without a mistake, though others are not."""
    if not asked.classes or not codes.max(initial=0):
        return None
    enough = asked.y_NC.sum(axis=0) >= LEAST
    told = [
        name
        for name, own, many in zip(asked.names, scores(codes, asked), enough, strict=True)
        if many and own is not None and own >= WHOLLY
    ]
    if not told:
        return None
    classes = f"'{told[0]}'" if len(told) == 1 else f"the classes {some(told)}"
    what = f"tells {classes} of {asked.target} {how} without a mistake"
    return finding("warning", column, f"{what}: make sure that it is known beforehand")


def _said(column: str, table: Table, asked: Asked) -> Finding | None:
    """A text that names its row's class, and no other, as whole words in nearly every row."""
    names = {plain(name): i for i, name in enumerate(asked.names) if len(plain(name)) >= NAMED}
    longest, right = max((len(name.split()) for name in names), default=0), 0
    for places, cells in few_at_once(table, column, asked.rows):
        for at, cell in zip(places, cells, strict=True):
            words = plain(as_text(cell)).split()[:WORDS]
            said = {
                names[phrase]
                for n in range(1, longest + 1)
                for i in range(len(words) - n + 1)
                if (phrase := " ".join(words[i : i + n])) in names
            }
            right += said == set(np.flatnonzero(asked.y_NC[at]))
    if right < MOSTLY * len(asked.rows):
        return None
    what = f"names the row's {asked.target}, and no other, in {share(right, len(asked.rows))}"
    what = f"{what} of the texts"
    if right >= SURE * len(asked.rows) and not asked.lopsided:
        return finding("leak", column, f"{what}: known only afterwards, it seems; leave it out")
    return finding("warning", column, f"{what}: make sure that it is known beforehand")


def _one_to_one(codes: np.ndarray, asked: Asked) -> bool:
    """Whether each value has one class and each class one value."""
    if not asked.classes or not (asked.y_NC.sum(axis=1) == 1).all():
        return False
    pairs = np.unique(np.stack([codes, asked.y_NC.argmax(axis=1)], axis=1), axis=0)
    return len(pairs) == len(np.unique(codes)) == asked.y_NC.shape[1] > 1


# --- answers -----------------------------------------------------------------------------------


def _ask(truth: Truth, rows: np.ndarray, groups: np.ndarray | None) -> Asked | None:
    """Rows with an answer; None where they are few or all the same."""
    answers = truth.answers[rows]
    known = np.array([a is not None for a in answers], dtype=bool)
    answers, rows = answers[known], rows[known]
    if len(rows) < LEAST:
        return None
    names, of = np.unique(rows if groups is None else groups[rows], return_inverse=True)
    fold = np.random.default_rng(0).permutation(len(names))[of] % FOLDS
    y_NC, every = target_of(truth.goal).signal(answers)
    if every is not None:
        return Asked(truth.goal.target, rows, y_NC, fold, True, every)
    x = y_NC[:, 0]
    return Asked(truth.goal.target, rows, _ranks(x)[:, None], fold, False) if np.ptp(x) else None


def _auroc(y: np.ndarray, guess: np.ndarray) -> float | None:
    """Area under the ROC curve by ranks (Mann and Whitney 1947); None with under five of a kind."""
    positive = y > 0.5
    n, m = int(positive.sum()), int((~positive).sum())
    if min(n, m) < FOLDS:
        return None
    rank = _ranks(guess) * (len(y) - 1) + 1
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * m))


def _ranks(x: np.ndarray) -> np.ndarray:
    """Ranks from 0 to 1, equal numbers share their mean rank."""
    _, of, counts = np.unique(x, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return ((ends - counts + ends - 1) / 2)[of] / max(1, len(x) - 1)


# --- cells -------------------------------------------------------------------------------------


def _amounts(
    column: str, options: config.Column, table: Table, rows: np.ndarray
) -> np.ndarray | None:
    """Numbers or moments, NaN where missing; None where the column holds neither."""
    plain = table.kind(column) in ("number", "bool")
    try:
        match options:
            case config.Number():
                return table.numbers(column, rows)
            case config.Series() if plain:
                return table.numbers(column, rows)
            case config.Time():
                return table.moments(column, rows)
            case _:
                return None
    except TableError:  # cells that are no numbers or dates have a finding of their own
        return None


def _names(
    column: str, options: config.Column, table: Table, rows: np.ndarray
) -> np.ndarray | None:
    """A small number for each row's name; None where a file, a list or a long text fills cells."""
    if not isinstance(options, config.Category | config.Text):
        return None
    if table.kind(column) in ("list", "other"):
        return None
    codes, distinct = values(table, column, rows)
    repeated = distinct <= len(rows) / 2
    return np.unique(codes, return_inverse=True)[1] if repeated else None


def _binned(x: np.ndarray) -> np.ndarray:
    """Quantiles from 0 up, what is missing last; few different numbers stay as they are."""
    finite = np.isfinite(x)
    numbers = np.unique(x[finite])
    if len(numbers) > BINS:
        numbers = np.unique(np.quantile(x[finite], np.linspace(0, 1, BINS + 1)[1:]))
    codes = np.searchsorted(numbers, np.where(finite, x, 0.0))
    return np.where(finite, codes, len(numbers)).astype(np.int64)
