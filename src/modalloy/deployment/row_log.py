"""Rows that a served model has answered, with their answers and the labels that came later."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any

from modalloy.deployment.kept_cells import MEDIA, MediaFolder, from_json, to_json
from modalloy.deployment.log_file import holding, open_log
from modalloy.deployment.log_query import END, Which, in_parts, rows_by_number
from modalloy.deployment.log_room import Room
from modalloy.deployment.log_rows import (
    LOGGED,
    Entry,
    Given,
    Label,
    as_frame,
    from_json_row,
    moment,
    row_name,
)
from modalloy.errors import RunError, TableError
from modalloy.runs.seal import read_json

if TYPE_CHECKING:
    import pandas as pd

KEEP_GB = 10.0
EVERY = Which()


class RowLog:
    """The rows of the deployment in a folder; safe for threads and for several processes.

    Media are files in `media/`, named by their content: tables of rows name them from `folder`.
    keep_gb: of rows and files; the oldest rows without a label go first, and `dropped` says so.
    """

    def __init__(self, path: Path, *, keep_gb: float = KEEP_GB) -> None:
        self.folder = path
        self.tasks: dict[str, list[str]] = read_json(path / "about.json")["tasks"]
        self._media = MediaFolder(path / MEDIA)
        self._base = open_log(path / "rows.sqlite")
        self._room = Room(self._media.folder, keep_gb)
        self._lock = threading.RLock()

    def add(
        self,
        rows: Sequence[Mapping[str, Any]],
        answers: "pd.DataFrame",
        *,
        version: int,
        request: str,
        source: str,
        at: float,
    ) -> list[str]:
        """Keep rows that were answered; the name of each, by source, request and place in it.

        The same request of a source may come again, and is kept once. rows: cells by column; media
        as bytes or `Path`, whose files are copied. answers: as `Predictor.frame` gives them, a line
        a row. at: seconds since 1970.

        Raises RunError where the request was kept with other cells, or nothing can be written:
        then none of its rows is kept.
        """
        return self.add_all([Entry(rows, answers, version, request, source, at)])[0]

    def add_all(self, entries: Sequence[Entry]) -> list[list[str]]:
        """Keep several requests with one write to the disk, all of them or none; see `add`."""
        for rows, answers, *_ in entries:
            if len(rows) != len(answers):
                raise TableError(
                    f"{len(rows)} rows came with {len(answers)} answers; give one a row."
                )
        with self._writing() as base:
            names = [self._put(base, entry) for entry in entries]
            self._room.make(base, max((entry.at for entry in entries), default=0.0))
        if self._room.waiting(self._base):
            with self._writing() as base:
                self._room.sweep(base)
        return names

    def _put(self, base: Connection, entry: Entry) -> list[str]:
        """Write one request's rows that are not there yet; the names of all of them."""
        rows, answers, version, request, source, at = entry
        said = answers.to_dict("records")
        names = [row_name(source, request, place) for place in range(len(rows))]
        for name, row, answer in zip(names, rows, said, strict=True):
            files: list[str] = []
            cells = self._json(row, files)
            old = base.execute("SELECT cells FROM rows WHERE id = ?", (name,)).fetchone()
            if old is not None and old[0] != cells:
                raise RunError(
                    f"request '{request}' of '{source}' was kept before with other cells; "
                    "give each request a name of its own."
                )
            if old is None:
                told = self._json(answer, files)
                given = (name, at, version, request, source, cells, told)
                base.execute(
                    "INSERT INTO rows (id, at, version, request, source, cells, answers) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    given,
                )
                self._room.count(base, name, len(cells) + len(told), files)
        return names

    def label(self, row_id: str, task: str, label: Any, *, source: str, at: float) -> int:
        """Keep a right answer; the number of the label. All are kept, and the newest counts.

        label: the cell of the task's column, or of several columns a mapping. RunError for a row
        that is not here, and a task that the model does not have.
        """
        return self.label_all([Given(row_id, task, label, source)], at=at)

    def label_all(self, given: Sequence[Given], *, at: float) -> int:
        """Keep several right answers or none of them; the number of the last one."""
        for task in dict.fromkeys(g.task for g in given):
            if task not in self.tasks:
                raise RunError(f"this model has no task '{task}'; it has {', '.join(self.tasks)}.")
        for g in given:
            columns = self.tasks[g.task]
            named = isinstance(g.label, Mapping) and set(g.label) == set(columns)
            if len(columns) > 1 and not named:
                raise RunError(f"a label of '{g.task}' gives {', '.join(columns)} by their names.")
        with self._writing() as base:
            self._refuse_unknown(base, [g.row for g in given])
            for g in given:
                files: list[str] = []
                kept = self._json(g.label, files)
                base.execute(
                    "INSERT INTO labels (row, task, label, source, at) VALUES (?, ?, ?, ?, ?)",
                    (g.row, g.task, kept, g.source, at),
                )
                self._room.count(base, g.row, len(kept), files)
            return base.execute("SELECT coalesce(max(number), 0) FROM labels").fetchone()[0]

    @staticmethod
    def _refuse_unknown(base: Connection, rows: Sequence[str]) -> None:
        """RunError where rows are not in the log."""
        asked = "SELECT 1 FROM rows WHERE id = ?"
        gone = [r for r in dict.fromkeys(rows) if not base.execute(asked, (r,)).fetchone()]
        if gone:
            more = f" and {len(gone) - 1} others are" if gone[1:] else " is"
            raise RunError(
                f"row '{gone[0]}'{more} not in the log, so nothing can learn from the label; give "
                "the row_id that came with each answer. Rows without a label are let go when the "
                "log is full."
            )

    def labels(self, *, upto: int | None = None, rows: Sequence[str] | None = None) -> list[Label]:
        """Labels in the order they came. upto: the last one's number. rows: of these alone."""
        asked = "SELECT number, row, task, label, source, at FROM labels"
        with self._lock, holding(self.folder):
            if rows is None:
                whole = (END if upto is None else upto,)
                found = self._base.execute(f"{asked} WHERE number <= ? ORDER BY number", whole)
            else:
                own = in_parts(self._base, asked, "row", rows)
                found = sorted(label for label in own if upto is None or label[0] <= upto)
            return [Label(n, r, t, from_json(json.loads(x)), s, at) for n, r, t, x, s, at in found]

    def labelled(
        self, task: str | None = None, *, after: int = 0, since: float | None = None
    ) -> int:
        """How many rows have a label. task: of this task; after: whose number is larger than this;
        since: given from this moment on.
        """
        asked = "SELECT count(DISTINCT row) FROM labels WHERE number > ? AND at >= ?"
        given: list[Any] = [after, -1e300 if since is None else since]
        if task is not None:
            asked, given = f"{asked} AND task = ?", [*given, task]
        with self._lock, holding(self.folder):
            return self._base.execute(asked, given).fetchone()[0]

    def last_label(self) -> int:
        """The number of the newest label, 0 where there is none."""
        with self._lock, holding(self.folder):
            return self._base.execute("SELECT coalesce(max(number), 0) FROM labels").fetchone()[0]

    def frame(self, which: Which = EVERY) -> "pd.DataFrame":
        """Rows with their cells, oldest first; media as paths from `folder`.

        Columns: `row_id`, `at` (time in UTC), `version`, `request`, `source` (`log.at` and so on
        where the model has a column of that name; `attrs["logged"]` says how they are called), the
        cells, and for every task the columns of its right answers by the newest label; what a row
        itself claimed there counts for nothing.
        """
        kept = self._rows(which)
        truth = self._truth([r[0] for r in kept], which.upto)
        truths = set(self._own_columns())
        rows = [from_json_row(r[5]) for r in kept]
        cells = [{n: c for n, c in row.items() if n not in truths} for row in rows]
        given = {*(name for row in cells for name in row), *truths}
        names = {n: n if n not in given else f"log.{n}" for n in LOGGED}
        records = [
            {
                **dict(zip(names.values(), (*r[:1], moment(r[1]), *r[2:5]), strict=True)),
                **own,
                **truth.get(r[0], {}),
            }
            for r, own in zip(kept, cells, strict=True)
        ]
        columns = [*names.values(), *(n for r in records for n in r), *sorted(truths)]
        frame = as_frame(records, columns)
        frame.attrs["logged"] = names
        return frame

    def answers(self, which: Which = EVERY) -> "pd.DataFrame":
        """What was answered to the rows of `frame`, with `row_id`, `at` and `version` before it."""
        kept = self._rows(which)
        logged = [dict(zip(LOGGED[:3], (r[0], moment(r[1]), r[2]), strict=True)) for r in kept]
        said = [from_json_row(r[6]) for r in kept]
        records = [a | b for a, b in zip(logged, said, strict=True)]
        return as_frame(records, [*LOGGED[:3], *(n for r in records for n in r)])

    def rows(self) -> int:
        """How many rows are here."""
        with self._lock, holding(self.folder):
            return self._base.execute("SELECT count(*) FROM rows").fetchone()[0]

    def dropped(self) -> str:
        """What was let go since the log is full, in a sentence; empty where nothing was."""
        with self._lock, holding(self.folder):
            return self._room.told(self._base)

    def close(self) -> None:
        """Close the file; nothing can be asked afterwards."""
        self._base.close()

    def _truth(self, rows: Sequence[str], upto: int | None) -> dict[str, dict[str, Any]]:
        """Columns of right answers by row; the newest label of a task counts."""
        found: dict[str, dict[str, Any]] = {}
        for label in self.labels(upto=upto, rows=rows):
            columns = self.tasks[label.task]
            own = label.label if len(columns) > 1 else {columns[0]: label.label}
            found.setdefault(label.row_id, {}).update(own)
        return found

    def _rows(self, which: Which) -> list[tuple]:
        with self._lock, holding(self.folder):
            return rows_by_number(self._base, which.numbers(self._base))

    def _own_columns(self) -> list[str]:
        return [c for columns in self.tasks.values() for c in columns]

    def _json(self, value: Any, files: list[str]) -> str:
        """A row, an answer or a label as it is kept; names of the files that it needs."""

        def keep(data: bytes, ending: str) -> str:
            files.append(self._media.keep(data, ending))
            return files[-1]

        return json.dumps(to_json(value, keep), sort_keys=True)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """One change, made whole or not at all."""
        with self._lock, holding(self.folder):
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
                self._base.execute("COMMIT")
                self._media.fresh.clear()
            except BaseException:
                if self._base.in_transaction:
                    self._media.forget_fresh()  # while nobody else may write
                    self._base.execute("ROLLBACK")
                self._media.fresh.clear()
                raise
