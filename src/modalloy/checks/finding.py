"""One thing that `check` found, as a sentence with its rows."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from modalloy.table.table import Table

Level = Literal["error", "leak", "warning", "note"]
READING = "reading"  # where a note on the table as a whole stands
BUNDLE = "bundle"  # where one on the bundle that answers stands
SHOWN = 10  # rows that a finding names


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
