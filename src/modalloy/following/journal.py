"""A write-ahead log of rows that arrive: each is written down before it is answered, once."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from modalloy.errors import RunError

FORM = """
create table if not exists place (
    source text primary key, bytes integer not null, rows integer not null,
    head text not null, start text not null
);
create table if not exists row (
    source text not null, number integer not null, at real not null, cells text not null,
    answer text, version integer, fault text, published integer not null default 0,
    primary key (source, number)
);
create index if not exists waiting on row (at) where answer is null and fault is null;
create index if not exists unpublished on row (source, number) where published = 0;
create table if not exists refused (source text primary key, at real not null, why text not null);
create table if not exists written (file text primary key, bytes integer not null, head text);
"""


class Place(NamedTuple):
    """How far a file is taken in. bytes: up to the end of its last whole line. rows: of it so far.
    head: how it is written. start: SHA-256 of its first bytes, by which another file of the same
    name is known.
    """

    bytes: int
    rows: int
    head: Mapping[str, Any]
    start: str


class Taken(NamedTuple):
    """A row that has arrived: the source that it came from, and its number there from 0 on."""

    source: str
    number: int
    cells: Mapping[str, Any]


class Answered(NamedTuple):
    """What is said of a row; `answer` for a row that can be answered, else `fault`, a sentence."""

    source: str
    number: int
    answer: Mapping[str, Any] | None
    version: int | None = None
    fault: str | None = None


class Journal:
    """Rows by source and number: the same row is taken once, however often it arrives.

    Whatever kills the process, a row that was taken is answered later, and an answer that was
    written down is given out later. Every change is one transaction that reaches the disk before
    the next step. path: an SQLite file, made where there is none. Safe from any thread.

    Raises RunError where the file cannot be written, as on a full disk; what it holds stays.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._one = threading.RLock()
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = full")
            self._db.executescript(FORM)
        except sqlite3.Error as error:
            raise self._refused(error) from error

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    # --- what arrives ---------------------------------------------------------------------------

    def place(self, source: str) -> Place | None:
        """How far a file is taken in; None for one that was never seen."""
        found = self._rows("select bytes, rows, head, start from place where source = ?", source)
        return (
            Place(found[0][0], found[0][1], json.loads(found[0][2]), found[0][3]) if found else None
        )

    def take(
        self,
        source: str,
        rows: Iterable[tuple[int, Mapping[str, Any]]],
        place: Place | None = None,
        faults: Mapping[int, str] | None = None,
    ) -> int:
        """Write down numbered rows, and how far the file is taken in with them; how many are new.

        A number that is there already keeps what it holds. faults: numbers that hold no row, and
        why; each is given out as such.
        """
        now, new = time.time(), 0
        with self._change() as db:
            for number, cells in rows:
                given = (source, number, now, json.dumps(dict(cells), default=str))
                done = db.execute(
                    "insert or ignore into row (source, number, at, cells) values (?, ?, ?, ?)",
                    given,
                )
                new += done.rowcount
            db.executemany(
                "insert or ignore into row (source, number, at, cells, fault) "
                "values (?, ?, ?, '{}', ?)",
                [(source, number, now, why) for number, why in (faults or {}).items()],
            )
            if place is not None:
                told = (source, place.bytes, place.rows, json.dumps(dict(place.head)), place.start)
                db.execute("insert or replace into place values (?, ?, ?, ?, ?)", told)
        return new

    def refuse(self, source: str, why: str) -> bool:
        """A source that cannot be read; whether this is new."""
        with self._change() as db:
            given = (source, time.time(), why)
            return db.execute("insert or ignore into refused values (?, ?, ?)", given).rowcount == 1

    def refusals(self) -> dict[str, str]:
        """Source -> why it cannot be read."""
        return dict(self._rows("select source, why from refused order by at"))

    # --- what is answered -----------------------------------------------------------------------

    def waiting(self, at_most: int) -> list[Taken]:
        """Rows without an answer, the oldest first."""
        found = self._rows(
            "select source, number, cells from row where answer is null and fault is null "
            "order by at, source, number limit ?",
            at_most,
        )
        return [Taken(source, number, json.loads(cells)) for source, number, cells in found]

    def backlog(self) -> int:
        """How many rows wait for an answer."""
        return self._rows("select count(*) from row where answer is null and fault is null")[0][0]

    def answered(self, answers: Sequence[Answered]) -> None:
        """Write down answers, and let the cells go that nobody needs any more; a row that has an
        answer keeps it."""
        with self._change() as db:
            for one in answers:
                said = None if one.answer is None else json.dumps(one.answer)
                db.execute(
                    "update row set answer = ?, version = ?, fault = ?, cells = '{}' "
                    "where source = ? and number = ? and answer is null and fault is null",
                    (said, one.version, one.fault, one.source, one.number),
                )

    def answer_to(self, source: str, number: int) -> Answered | None:
        """What was said of a row; None while it waits, or where it never came."""
        found = self._rows(
            "select answer, version, fault from row where source = ? and number = ?", source, number
        )
        if not found or (found[0][0] is None and found[0][2] is None):
            return None
        answer, version, fault = found[0]
        return Answered(
            source, number, None if answer is None else json.loads(answer), version, fault
        )

    # --- what is given out ----------------------------------------------------------------------

    def unpublished(self, at_most: int) -> list[Answered]:
        """Answers that nobody was given yet, in the order of their source."""
        found = self._rows(
            "select source, number, answer, version, fault from row where published = 0 and "
            "(answer is not null or fault is not null) order by source, number limit ?",
            at_most,
        )
        return [
            Answered(source, number, None if said is None else json.loads(said), version, fault)
            for source, number, said, version, fault in found
        ]

    def published(self, rows: Iterable[Answered], file: str = "", length: int = 0) -> None:
        """These are given out; `file`, where they went to a file, is so many bytes long now."""
        with self._change() as db:
            db.executemany(
                "update row set published = 1 where source = ? and number = ?",
                [(one.source, one.number) for one in rows],
            )
            if file:
                db.execute("update written set bytes = ? where file = ?", (length, file))

    def publish_again(self, source: str, number: int) -> None:
        """Whoever sent a row again waits for its answer again."""
        with self._change() as db:
            db.execute(
                "update row set published = 0 where source = ? and number = ?", (source, number)
            )

    def next_number(self, source: str) -> int:
        """The number of a row that came without one."""
        asked = "select coalesce(max(number), -1) + 1 from row where source = ?"
        return self._rows(asked, source)[0][0]

    def begun(self, file: str, head: Sequence[str]) -> None:
        """A file of answers has these columns."""
        with self._change() as db:
            db.execute("insert into written values (?, 0, ?)", (file, json.dumps(list(head))))

    def files(self) -> dict[str, tuple[int, list[str]]]:
        """File of answers -> its bytes that hold, and its columns."""
        found = self._rows("select file, bytes, head from written order by rowid")
        return {file: (length, json.loads(head)) for file, length, head in found}

    def counts(self) -> dict[str, int]:
        """How many rows were taken, answered, found faulty and given out."""
        asked = "count(*), count(answer), count(fault), coalesce(sum(published), 0)"
        found = self._rows(f"select {asked} from row")[0]
        return dict(zip(("taken", "answered", "faulty", "published"), found, strict=True))

    # --- the file -------------------------------------------------------------------------------

    def _rows(self, question: str, *given: Any) -> list[Any]:
        with self._one:
            try:
                return self._db.execute(question, given).fetchall()
            except sqlite3.Error as error:
                raise self._refused(error) from error

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing."""
        with self._one:
            try:
                self._db.execute("begin immediate")
                yield self._db
                self._db.execute("commit")
            except BaseException as error:
                if self._db.in_transaction:
                    self._db.execute("rollback")
                if isinstance(error, sqlite3.Error):
                    raise self._refused(error) from error
                raise

    def _refused(self, error: sqlite3.Error) -> RunError:
        return RunError(f"{self.path}: cannot be used ({error}); what it holds is unharmed.")
