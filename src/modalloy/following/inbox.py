"""What lies in a folder that is followed: tables that grow, tables that are whole, media files."""

import base64
import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from modalloy.errors import RunError, TableError
from modalloy.following.journal import Journal, Place
from modalloy.following.lines import (
    CSV,
    JSONL,
    arrived,
    first_place,
    is_text,
    same_file,
    start_of,
)
from modalloy.media.endings import PICTURES, SOUNDS

GROWING = (*CSV, *JSONL)
WHOLE = (".parquet",)
OWN = "answers"  # a folder of this name in it is never looked at
STILL_S = 1.0  # a file that is read whole has not changed for so long


class Kinds(NamedTuple):
    """Which column of the model a media file is a cell of; "" where there is none, or several."""

    image: str = ""
    audio: str = ""

    def of(self, path: Path) -> str:
        """The column of a file by its ending."""
        ending = path.suffix.lower()
        return self.image if ending in PICTURES else self.audio if ending in SOUNDS else ""


class Seen(NamedTuple):
    """When a file was last seen to change, by its size and time."""

    size: int
    changed_ns: int
    at: float


class Inbox:
    """A folder whose files are rows. kinds: what a picture or recording alone is a cell of.

    `.csv`, `.tsv` and `.jsonl` may grow: whole lines are taken in as they come. A `.parquet` and
    media files are taken in once they have not changed for a second. Links are not followed, hidden
    files not looked at. A file that was replaced by another of the same name is another source,
    `NAME~2`. Where a table lies in the folder, media files are what its cells name, and no rows.
    """

    def __init__(self, folder: Path, journal: Journal, kinds: Kinds) -> None:
        if not folder.is_dir():
            raise TableError(f"{folder}: there is no such folder to follow; make it first.")
        self.folder, self.journal, self.kinds = folder, journal, kinds
        self._seen: dict[Path, Seen] = {}
        self._done: dict[Path, tuple[int, int]] = {}  # as they were when nothing of them was new
        self._tables = False

    def look(self, now: float) -> tuple[int, list[str]]:
        """Take in what has come; how many rows that is, and what is to be said of files."""
        new, said = 0, []
        files = list(self._files())
        self._tables = any(path.suffix.lower() in (*CSV, *JSONL, *WHOLE) for path in files)
        for path in files:
            if not is_text(path.name) or not is_text(str(path.parent)):
                shown = os.fsencode(path).decode(errors="backslashreplace")
                why = f"{shown}: its name is no UTF-8; rename it, so that rows can be named by it."
                said += [why] if self.journal.refuse(shown, why) else []
                continue
            try:
                found = path.stat()
                stamp = (found.st_size, found.st_mtime_ns)
                if self._done.get(path) == stamp:
                    continue
                taken, sentences = self._take(path, now)
                if not taken and (path.suffix.lower() in GROWING or not self._is_new(path)):
                    self._done[path] = stamp
            except FileNotFoundError:  # moved away meanwhile
                continue
            except RunError:  # our own log cannot be written: nothing is wrong with the file
                raise
            except Exception as error:
                why = in_words(path, error)
                new_to_us = self.journal.refuse(self._as_it_is(path), why)
                taken, sentences = 0, [why] if new_to_us else []
            new += taken
            said += sentences
        return new, said

    def _files(self) -> Iterator[Path]:
        """Files in the order of their names; nothing that is hidden, a link or no plain file, and
        none whose name is no text."""
        for path in sorted(self.folder.rglob("*")):
            inside = path.relative_to(self.folder)
            if any(p.startswith(".") for p in inside.parts) or inside.parts[0] == OWN:
                continue
            with contextlib.suppress(FileNotFoundError):  # moved away meanwhile
                if stat.S_ISREG(path.lstat().st_mode) and not path.name.endswith(".part"):
                    yield path

    def _source(self, path: Path) -> str:
        """The name of a file's rows: where it lies, and which of that name it is."""
        name, number = path.relative_to(self.folder).as_posix(), 1
        while True:
            source = name if number == 1 else f"{name}~{number}"
            place = self.journal.place(source)
            if place is None or same_file(path, place):
                return source
            number += 1

    def _take(self, path: Path, now: float) -> tuple[int, list[str]]:
        ending = path.suffix.lower()
        if ending in CSV or ending in JSONL:
            return self._lines(path)
        if ending in WHOLE:
            return self._whole(path, now)
        if ending in PICTURES or ending in SOUNDS:
            return self._media(path, now)
        if self._is_new(path):
            why = f"{path.name}: is none of {', '.join((*CSV, *JSONL, *WHOLE))}, picture, recording"
            self.journal.refuse(self._source(path), why)
            return 0, [why + "; it is left where it is."]
        return 0, []

    def _lines(self, path: Path) -> tuple[int, list[str]]:
        source = self._source(path)
        if self._as_it_is(path) in self.journal.refusals():
            return 0, []
        place, said = self.journal.place(source), []
        if place is None:
            place = first_place(path)
            if place is None:
                return 0, []
            if source != path.relative_to(self.folder).as_posix():
                said.append(f"{path.name}: was replaced by another file; its rows are of {source}.")
            said += [f"{path.name}: {note}" for note in place.head.get("notes", ())]
        elif path.stat().st_size == place.bytes:
            return 0, []
        new, more = 0, True
        while more:
            found = arrived(path, place)
            if found.place == place:
                break
            new += self.journal.take(source, found.rows, found.place, found.faults)
            place, more = found.place, found.more
        return new, said

    def _whole(self, path: Path, now: float) -> tuple[int, list[str]]:
        if not self._at_rest(path, now) or not self._is_new(path):
            return 0, []
        import pyarrow as pa
        import pyarrow.parquet as pq

        source = self._source(path)
        try:
            found = pq.read_table(path).to_pylist()
        except pa.ArrowException as error:
            raise TableError(f"{path}: cannot be read as Parquet ({error}).") from error
        rows = [(at, {name: packed(c) for name, c in row.items()}) for at, row in enumerate(found)]
        return self.journal.take(source, rows, self._end(path, len(rows))), []

    def _media(self, path: Path, now: float) -> tuple[int, list[str]]:
        column = self.kinds.of(path)
        if not column or self._tables or not self._is_new(path):
            return 0, []
        if not self._at_rest(path, now):
            return 0, []
        cells: Mapping[str, Any] = {column: path.relative_to(self.folder).as_posix()}
        return self.journal.take(self._source(path), [(0, cells)], self._end(path, 1)), []

    def _end(self, path: Path, rows: int) -> Place:
        """The place behind a file that is taken in as a whole."""
        length = path.stat().st_size
        return Place(length, rows, {}, start_of(path, length))

    def _is_new(self, path: Path) -> bool:
        """Whether nothing of a file is taken in, and it was not refused."""
        source = self._source(path)
        refused = self.journal.refusals().keys() & {source, self._as_it_is(path)}
        return self.journal.place(source) is None and not refused

    def _as_it_is(self, path: Path) -> str:
        """A file as it is now: one that was refused is looked at again once it was mended."""
        found = path.stat()
        return f"{self._source(path)}, {found.st_size} bytes of {found.st_mtime_ns}"

    def _at_rest(self, path: Path, now: float) -> bool:
        """Whether a file is as it was a second ago."""
        found = path.stat()
        seen = self._seen.get(path)
        if seen is None or (seen.size, seen.changed_ns) != (found.st_size, found.st_mtime_ns):
            self._seen[path] = Seen(found.st_size, found.st_mtime_ns, now)
            return False
        return now - seen.at >= STILL_S


def packed(cell: Any) -> Any:
    """A cell as JSON has it: the bytes of a file in base64."""
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    return {"base64": base64.b64encode(data).decode()} if isinstance(data, bytes) else cell


def in_words(path: Path, error: Exception) -> str:
    """Why a file cannot be read."""
    if isinstance(error, TableError):
        return str(error)
    why = error.strerror if isinstance(error, OSError) else type(error).__name__
    return f"{path}: cannot be read ({why}); mend it, or take it away."
