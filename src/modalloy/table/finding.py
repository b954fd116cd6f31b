"""What is wrong with some rows in, one sentence for the user out; and which columns a job reads."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from modalloy import config
from modalloy.table.reader import empty
from modalloy.table.table import Table

Level = Literal["error", "leak", "warning", "note"]
READING = "reading"  # where a note on the table as a whole stands
SHOWN = 10  # rows that a finding names
HASH = 0x7FFF_FFFF_FFFF_FFFF  # bits of a mark, so that none is negative
AT_ONCE = 1_000  # rows whose texts are held at a time
LISTS = 20_000  # rows of a list column that are looked at


@dataclass(frozen=True)
class Finding:
    """One thing that `check` found.

    level: `error` stops training; `leak` stops it unless the job says allow_leak; `warning` and
        `note` do not.
    what: a sentence without its full stop. where: the column, or `split`.
    rows: the first ten row numbers concerned; count: how many there are, 0 where none are named.
    """

    level: Level
    what: str
    where: str
    rows: list[int] = field(default_factory=list)
    count: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The form that a report keeps: its fields, and `text` that says it all."""
        return {**asdict(self), "text": f"{self.where}: {self.what}"}


def finding(level: Level, where: str, what: str, rows: Iterable[int] = ()) -> Finding:
    """A finding about these rows."""
    numbers = [int(row) for row in rows]
    return Finding(level, what, where, numbers[:SHOWN], len(numbers))


def reading_notes(table: Table) -> list[Finding]:
    """What was taken for what when the table was read."""
    return [finding("note", READING, note) for note in table.notes]


def inputs(job: config.Job) -> dict[str, Any]:
    """Columns of the job that the model sees, with their options."""
    hidden = config.Group | config.Ignore
    return {name: o for name, o in job.columns.items() if not isinstance(o, hidden)}


def sources(name: str, options: Any) -> tuple[str, ...]:
    """Table columns that one input reads."""
    if isinstance(options, config.Time) and options.since is not None:
        return (name, options.since)
    if not isinstance(options, config.Series):
        return (name,)
    speed = (options.rpm,) if isinstance(options.rpm, str) else ()
    return (*(options.channels or (name,)), *speed)


def read_columns(job: config.Job) -> dict[str, Any]:
    """Every table column that some input reads, with that input's options."""
    return {c: options for name, options in inputs(job).items() for c in sources(name, options)}


def number_columns(job: config.Job) -> set[str]:
    """Table columns whose cells are read as numbers: inputs, channels, speeds and targets."""
    found = {t.target for t in job.tasks.values() if isinstance(t, config.Regress)}
    for name, options in inputs(job).items():
        if isinstance(options, config.Number | config.Series):
            found.update(sources(name, options))
    return found


def some(names: Iterable[Any], most: int = 5) -> str:
    """The first of several names, and how many more there are."""
    found = [str(n) for n in names]
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def counted(count: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{count} {noun}{'s' * (count != 1)}"


def share(part: int, whole: int) -> str:
    """A share in percent, never rounded to nothing or everything."""
    percent = 100.0 * part / max(1, whole)
    if 0 < percent < 0.1:
        return "under 0.1 %"
    if 99.9 < percent < 100:
        return "over 99.9 %"
    return f"{percent:.1f} %" if percent < 10 else f"{percent:.0f} %"


def values(table: Table, column: str, rows: np.ndarray) -> tuple[np.ndarray, int]:
    """Number of each row's value, -1 where the cell is empty; how many different ones there are.

    Lists count as present or empty only. Shape (len(rows),).
    """
    if table.whole(column):  # beyond 2**53 their float64 would not tell them apart
        codes, names = table.codes(column)
        rank = np.argsort(np.argsort([int(n) for n in names if n is not None]))
        own = codes[rows]
        found, ranked = np.unique(rank[own[own >= 0]], return_inverse=True)
        every = np.full(len(own), -1, dtype=np.int64)
        every[own >= 0] = ranked
        return every, len(found)
    if table.kind(column) == "number":
        x = table.numbers(column, rows)
        found, codes = np.unique(x[~np.isnan(x)], return_inverse=True)
        every = np.full(len(x), -1, dtype=np.int64)
        every[~np.isnan(x)] = codes
        return every, len(found)
    if table.kind(column) in ("list", "other"):
        codes = np.array([-1 if empty(c) else 0 for c in table.cells(column, rows)], dtype=np.int64)
    elif table.kind(column) == "text":
        marks = np.full(len(rows), -1, dtype=np.int64)
        for at, cells in few_at_once(table, column, rows):
            marks[at] = [mark(c) for c in cells]
        found, codes = np.unique(marks, return_inverse=True)
        codes = codes - (found[:1] < 0).sum()
    else:
        codes = table.codes(column)[0][rows]
    return codes, len(np.unique(codes[codes >= 0]))


def few_at_once(
    table: Table, column: str, rows: np.ndarray
) -> Iterator[tuple[np.ndarray, list[Any]]]:
    """The cells of these rows in the table's order, with their places in `rows`; long texts of many
    rows are never held together.
    """
    order = np.argsort(rows, kind="stable")
    for start in range(0, len(rows), AT_ONCE):
        at = order[start : start + AT_ONCE]
        yield at, table.cells(column, rows[at])


def mark(text: str | None) -> int:
    """A number that stands for a text, the same for equal ones in this process; -1 for none."""
    return -1 if empty(text) else hash(text) & HASH


def spread(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the rows, evenly spaced."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
