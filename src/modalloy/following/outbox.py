"""Answers to followed rows as CSV files, each answer in them once, whatever kills the process."""

import csv
import io
import os
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from modalloy.answer.answer_file import as_written
from modalloy.errors import RunError
from modalloy.following.journal import Answered, Journal

ALWAYS = ("followed.source", "followed.number", "followed.version", "followed.error")
AT_ONCE = 4096  # answers


class Outbox:
    """A folder with one file of answers for each source, `NAME.answers.csv`.

    Where answers have other columns than before (another version answers), a further file begins,
    `NAME.answers-2.csv`; where a file was taken away, it begins anew. What a killed process wrote
    without writing it down is cut off again at the start. Raises RunError where the folder cannot
    be written.
    """

    def __init__(self, folder: Path, journal: Journal) -> None:
        self.folder, self.journal = folder, journal
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, (length, _) in journal.files().items():
                self._cut(folder / name, length)
        except OSError as error:
            raise self._refused(folder, error) from error

    def publish(self) -> int:
        """Give out what nobody was given yet; how many answers that is."""
        given = self.journal.unpublished(AT_ONCE)
        for source, some in groupby(given, key=lambda one: one.source):
            for columns, same in groupby(some, key=columns_of):
                rows = list(same)
                self._append(self._file(source, list(columns)), rows)
        return len(given)

    def _file(self, source: str, columns: list[str]) -> str:
        """The newest file of a source if it has these columns, else a new one."""
        stem, number = source.replace("/", "_").replace("\\", "_"), 1
        own = {n: head for n, (_, head) in self.journal.files().items()}
        while (name := named(stem, number)) in own:
            if own[name] == columns or (named(stem, number + 1) not in own and not columns):
                return name
            number += 1
        self.journal.begun(name, columns)
        return name

    def _append(self, name: str, rows: list[Answered]) -> None:
        length, columns = self.journal.files()[name]
        path = self.folder / name
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        if not length or not path.exists():  # or somebody has taken the file away
            writer.writerow([*ALWAYS, *columns])
        for one in rows:
            said: Mapping[str, Any] = one.answer or {}
            writer.writerow(
                [one.source, one.number, one.version, one.fault]
                + [as_written(said.get(c)) for c in columns]
            )
        try:
            self._cut(path, length)
            with open(path, "ab") as file:
                file.write(text.getvalue().encode())
                file.flush()
                os.fsync(file.fileno())
                end = file.tell()
        except OSError as error:
            raise self._refused(path, error) from error
        self.journal.published(rows, name, end)

    def _cut(self, path: Path, length: int) -> None:
        """Take off what was written after what holds."""
        if path.exists() and path.stat().st_size > length:
            os.truncate(path, length)

    def _refused(self, path: Path, error: OSError) -> RunError:
        return RunError(
            f"{path}: cannot be written ({error.strerror}); answers wait and are given out later."
        )


def columns_of(one: Answered) -> tuple[str, ...]:
    """The columns of an answer; none of a row that could not be answered."""
    return tuple(one.answer or ())


def named(stem: str, number: int) -> str:
    """The name of a source's so many-th file of answers."""
    return f"{stem}.answers.csv" if number == 1 else f"{stem}.answers-{number}.csv"
