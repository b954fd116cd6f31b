"""Which rows of a log are asked for: their numbers first, then what is kept of these alone."""

import json
from collections.abc import Iterator, Sequence
from sqlite3 import Connection
from typing import Any, NamedTuple

AT_ONCE = 500  # rows that one question names
END = 1 << 62  # no number is beyond


class Which(NamedTuple):
    """Rows of a log; all of them where nothing is said.

    since, until: seconds since 1970, from this moment to before that. labelled: only rows with a
    label, or without any; task: a label of this task. upto: labels up to this number. newest: at
    most so many, the newest of these. spread: at most so many of these, evenly spread over them.
    ids: rows of these names alone. version: rows that this version answered.
    """

    since: float | None = None
    until: float | None = None
    labelled: bool | None = None
    task: str | None = None
    upto: int | None = None
    newest: int | None = None
    spread: int | None = None
    ids: Sequence[str] | None = None
    version: int | None = None

    def numbers(self, base: Connection) -> list[int]:
        """The rows' numbers, the oldest row first; no cell is read."""
        parts: list[str] = ["at >= ?", "at < ?"]
        given: list[Any] = [-1e300 if self.since is None else self.since]
        given.append(1e300 if self.until is None else self.until)
        if self.labelled is not None:
            # A list of labelled rows is looked up once; of rows without one each is asked for, so
            # that the newest are found without going through all.
            own = "number <= ?" + ("" if self.task is None else " AND task = ?")
            whole = f"id IN (SELECT row FROM labels WHERE {own})"
            none = f"NOT EXISTS (SELECT 1 FROM labels WHERE row = rows.id AND labels.{own})"
            parts.append(whole if self.labelled else none)
            given += [END if self.upto is None else self.upto]
            given += [] if self.task is None else [self.task]
        if self.version is not None:
            parts.append("version = ?")
            given.append(self.version)
        if self.ids is not None:
            parts.append("id IN (SELECT value FROM json_each(?))")
            given.append(json.dumps([*self.ids]))
        asked = f"SELECT number FROM rows WHERE {' AND '.join(parts)} ORDER BY at DESC, number DESC"
        if self.newest is not None:
            asked, given = f"{asked} LIMIT ?", [*given, self.newest]
        found = [number for (number,) in base.execute(asked, given)][::-1]
        return found if self.spread is None else evenly(found, self.spread)


def evenly(found: list[int], most: int) -> list[int]:
    """At most so many of a list, the first and the last among them."""
    if len(found) <= most:
        return found
    step = (len(found) - 1) / max(most - 1, 1)
    return [found[round(i * step)] for i in range(most)]


def rows_by_number(base: Connection, numbers: Sequence[int]) -> list[tuple]:
    """Id, time, version, request, source, cells and answers of rows, in the order of `numbers`."""
    own = "number, id, at, version, request, source, cells, answers"
    found = {
        row[0]: row[1:] for row in in_parts(base, f"SELECT {own} FROM rows", "number", numbers)
    }
    return [found[number] for number in numbers if number in found]


def in_parts(base: Connection, asked: str, key: str, names: Sequence[Any]) -> Iterator[tuple]:
    """What is asked where `key` is one of many names, so many at a time."""
    for start in range(0, len(names), AT_ONCE):
        some = names[start : start + AT_ONCE]
        yield from base.execute(f"{asked} WHERE {key} IN ({','.join('?' * len(some))})", some)
