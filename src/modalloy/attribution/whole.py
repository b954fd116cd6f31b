"""Explains many rows: which columns carry which class, and which rows hang on one column."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.attribution.asked_row import AskedRow
from modalloy.attribution.columns import ColumnShares, share_columns
from modalloy.attribution.explanation import say, signed, write_both
from modalloy.attribution.outcome import ClassOutcome, Outcome, find_outcome
from modalloy.errors import TableError
from modalloy.judge.report import plain
from modalloy.machine.progress import Bar
from modalloy.runs.run import Run

MOST = 100  # rows that are explained, evenly drawn from the table
EXACT_UP_TO = 6  # columns; beyond it a few permutations do, of which many rows are averaged
PAIRS = 12  # of permutations
ALONE = 0.8  # share of all that columns add, from which a row hangs on one of them


@dataclass(frozen=True)
class RowShares:
    """One row: what is explained, and what each of its columns adds.

    changes: whether another class is answered once the column that adds most is hidden; only asked
    where that one makes most of all that is added.
    """

    row: int
    outcome: Outcome
    columns: ColumnShares
    changes: bool = False

    @property
    def strongest(self) -> tuple[str, float]:
        """The column that adds most, and its share of all that is added and taken."""
        value_N = np.abs(self.columns.shares.value_N)
        total = float(value_N.sum())
        if not total:
            return "", 0.0
        at = int(value_N.argmax())
        return self.columns.columns[at], float(value_N[at]) / total


@dataclass(frozen=True)
class TaskOverview:
    """All rows of one task; `kinds` are the classes answered, or one for a number."""

    task: str
    unit: str
    columns: list[str]
    rows: Sequence[RowShares]

    @property
    def kinds(self) -> list[str]:
        """Classes that were answered, the commonest first; the task itself for others."""
        named = [self.kind_of(r) for r in self.rows]
        return sorted(set(named), key=lambda n: (-named.count(n), n))

    def kind_of(self, row: RowShares) -> str:
        """The class that a row was answered, or the task."""
        outcome = row.outcome
        return outcome.name if isinstance(outcome, ClassOutcome) else self.task

    def mean(self, kind: str | None = None) -> dict[str, dict[str, float]]:
        """Column -> the mean of what it adds, the mean of its size, and the standard error of the
        first, over the rows of one kind; a missing cell adds 0.
        """
        some = [r for r in self.rows if kind is None or self.kind_of(r) == kind]
        found = {}
        for column in self.columns:
            x = np.array([value_of(r.columns, column) for r in some])
            error = x.std(ddof=1) / np.sqrt(len(x)) if len(x) > 1 else float("nan")
            found[column] = {
                "adds": float(x.mean()), "size": float(np.abs(x).mean()), "error": float(error)
            }  # fmt: skip
        return found

    def alone(self) -> list[RowShares]:
        """Rows that hang on one column: it makes most of what is added, and without it the answer
        is another class.
        """
        found = [r for r in self.rows if r.strongest[1] >= ALONE and r.changes]
        return sorted(found, key=lambda r: -r.strongest[1])

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "unit": self.unit,
            "rows": len(self.rows),
            "columns": self.mean(),
            "classes": {
                k: {"rows": sum(self.kind_of(r) == k for r in self.rows), "columns": self.mean(k)}
                for k in self.kinds
            },
            "hang_on_one": [
                {"row": r.row, "answer": self.kind_of(r), "column": r.strongest[0],
                 "share": r.strongest[1]}
                for r in self.alone()
            ],
        }  # fmt: skip

    def text(self) -> str:
        """Lines for a terminal."""
        lines = [f"{self.task}: {len(self.rows)} rows"]
        for kind in self.kinds:
            means = self.mean(kind)
            order = sorted(means, key=lambda c: -means[c]["size"])
            said = ", ".join(f"{c} {signed(means[c]['adds'], self.unit)}" for c in order[:4])
            lines.append(f"  {kind}: {said}")
        many = len(self.alone())
        lines.append(f"  {many} of them hang on one column" if many else "  none hangs on one")
        return "\n".join(lines)


@dataclass(frozen=True)
class Overview:
    """Why a run answers the rows of a table; a notebook shows it as its page.

    explained, of: how many rows, of how many the table has.
    """

    run: Run
    source: str
    explained: int
    of: int
    tasks: Sequence[TaskOverview]
    exact: bool = True

    def __getitem__(self, task: str) -> TaskOverview:
        return next(t for t in self.tasks if t.task == task)

    def as_dict(self) -> dict[str, Any]:
        """What the page says, as JSON."""
        return plain(
            {
                "run": str(self.run.path),
                "table": self.source,
                "rows": {"explained": self.explained, "of": self.of},
                "exact": self.exact,
                "tasks": {t.task: t.as_dict() for t in self.tasks},
            }
        )

    def text(self) -> str:
        """Lines for a terminal."""
        head = f"{self.explained} of {self.of} rows of {self.source}"
        return "\n".join([head, *(t.text() for t in self.tasks)])

    def html(self) -> str:
        """The page: one file that needs no network."""
        from modalloy.attribution.whole_page import whole_page

        return whole_page(self)

    def _repr_html_(self) -> str:
        from modalloy.report.document import framed

        return framed(self.html())

    def save(self, page: Path) -> None:
        """Write the page, and beside it the same as JSON."""
        write_both(page, self.html(), self.as_dict())


def explain_table(
    predictor: Predictor, loader: Loader, tasks: Sequence[str], *, quiet: bool
) -> Overview:
    """What each column adds to the answers of `MOST` rows of a table; see `verbs.explain`."""
    count = loader.table.rows
    if not count:
        raise TableError(f"{loader.table.source}: has no row to explain.")
    which = drawn_rows(count)
    found: dict[str, list[RowShares]] = {task: [] for task in tasks}
    with Bar("explaining", len(which), quiet=quiet) as bar:
        for row in which.tolist():
            asked = AskedRow(predictor, loader, row)
            for task in tasks:
                one = share_row(asked, task)
                if one is not None:
                    found[task].append(one)
            bar.advance(1)
    columns = list(predictor.run.readers)
    exact = len(columns) <= EXACT_UP_TO
    tables = [
        TaskOverview(t, rows[0].outcome.unit, columns, rows) for t, rows in found.items() if rows
    ]
    return Overview(predictor.run, loader.table.source, len(which), count, tables, exact)


def drawn_rows(count: int) -> np.ndarray:
    """Which of so many rows are explained, evenly drawn."""
    return np.unique(np.linspace(0, max(count - 1, 0), min(MOST, count)).round().astype(int))


def share_row(asked: AskedRow, task: str) -> RowShares | None:
    """What the columns of one row add; None where there is no span or box."""
    outcome = find_outcome(asked, task, label=None, item=0)
    if outcome is None or not asked.columns:
        return None
    columns = share_columns(asked, outcome, exact_up_to=EXACT_UP_TO, pairs=PAIRS, seed=asked.row)
    found = RowShares(asked.row, outcome, columns)
    name, share = found.strongest
    if not isinstance(outcome, ClassOutcome) or outcome.several or share < ALONE:
        return found
    without_C = asked.ask(task, [frozenset({name})])["probability"][0]
    changes = int(without_C.argmax()) != outcome.index
    return RowShares(asked.row, outcome, columns, changes)


def value_of(columns: ColumnShares, column: str) -> float:
    """What a column adds; nothing where its cell is missing."""
    if column not in columns.columns:
        return 0.0
    return float(columns.shares.value_N[columns.columns.index(column)])


def say_row(overview: TaskOverview, row: RowShares) -> tuple[str, str, str, str]:
    """One row that hangs on one column, as a line of a table."""
    shares = row.columns.shares
    name, share = row.strongest
    return (
        str(row.row),
        overview.kind_of(row),
        name,
        f"{100 * share:.0f} % of all that is added; {say(shares.whole, overview.unit)} in all",
    )
