"""An append-only record of runs as JSON lines, from which an interrupted plan goes on.

The first line says what is run; each line after it holds one run. A line that was torn by a kill is
no line: it is dropped when the record is read, and overwritten when it goes on.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self

from modalloy.errors import TwinError
from modalloy.twin.runs import Outcome

MAGIC = '{"journal": 1, '
SYNC_S = 0.5  # between two waits for the disk, while runs finish faster than that
SHOWN = 60  # characters of a value that are told


class Header(NamedTuple):
    """fingerprint: of the twin. content: what it covers, as JSON, so that differences can be named.
    plan: kind, number of runs and so on, as JSON. versions: of what rows depend on.
    """

    fingerprint: str
    content: Mapping[str, Any]
    plan: Mapping[str, Any]
    seed: int
    versions: Mapping[str, str]


class Recorded(NamedTuple):
    """One run. values: of its variables, as far as they are to be kept with it."""

    outcome: Outcome
    values: Mapping[str, Any]


class Journal:
    """A record that is being written. runs: by number, those of earlier processes included.

    versions: of every process that has written, each list that differed from the one before.
    """

    def __init__(self, path: Path, header: Header) -> None:
        """Begin the record or go on with it.

        TwinError where it is of another twin, plan or seed, of another process that still writes,
        or no record at all.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = open(path, "a+b", buffering=0)  # noqa: SIM115 closed by `close`
        except OSError as error:
            raise TwinError(f"{path}: cannot be written ({error.strerror}).") from error
        try:
            self._hold()
            self.runs, self.versions, whole = self._go_on(header)
            self._file.truncate(whole)
            if not whole:
                self._write(MAGIC + json.dumps(header._asdict())[1:])
                sync_folder(path.parent)
            elif self.versions[-1] != header.versions:
                self._write(json.dumps({"versions": dict(header.versions)}))
            if self.versions[-1:] != [dict(header.versions)]:
                self.versions.append(dict(header.versions))
            self.sync()
        except BaseException:
            self._file.close()
            raise

    def add(self, recorded: Recorded) -> None:
        """Write one run; it outlives a kill at once, and a power cut half a second later."""
        outcome = recorded.outcome
        line = {**outcome._asdict(), "values": dict(recorded.values)}
        self._write(json.dumps(line, default=lambda number: number.item()))  # numpy's
        self.runs[outcome.run] = recorded
        if time.monotonic() - self._synced > SYNC_S:
            self.sync()

    def sync(self) -> None:
        """Wait until all that was written is on the disk."""
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def close(self) -> None:
        """End writing."""
        if not self._file.closed:
            self.sync()
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _hold(self) -> None:
        """Keep other processes from writing, until this one ends however."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TwinError(
                f"{self.path}: another process is writing this record; wait for it, or give "
                "another place."
            ) from error

    def _go_on(self, header: Header) -> tuple[dict[int, Recorded], list[dict[str, str]], int]:
        """Runs and versions so far, and how many bytes hold them; 0 for a new record."""
        self._file.seek(0)
        data = self._file.read()
        whole = data.rfind(b"\n") + 1
        if not whole:
            began = MAGIC.encode()
            if data[: len(began)] != began[: len(data)]:
                raise TwinError(f"{self.path}: is no record of runs; give another place.")
            return {}, [], 0
        old, runs, versions = parse(data[:whole], self.path)
        refuse_other(old, header, self.path)
        return runs, versions, whole

    def _write(self, line: str) -> None:
        """One line at the end."""
        data = line.encode() + b"\n"
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            raise TwinError(
                f"{self.path}: cannot be written ({error.strerror}); make room and go on, all runs "
                "so far are kept."
            ) from error


def read_journal(path: Path) -> tuple[Header, dict[int, Recorded]]:
    """What a record holds: what was run, and runs by number; a torn last line is left out.

    TwinError where there is none.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TwinError(f"{path}: cannot be read ({error.strerror}).") from error
    header, runs, _ = parse(data[: data.rfind(b"\n") + 1], path)
    return header, runs


def parse(data: bytes, path: Path) -> tuple[Header, dict[int, Recorded], list[dict[str, str]]]:
    """Header, runs and versions of whole lines; TwinError names a line that is damaged."""
    lines = data.split(b"\n")[:-1]
    if not lines or not lines[0].startswith(MAGIC.encode()):
        raise TwinError(f"{path}: is no record of runs.")
    first = loaded(lines[0], 1, path)
    runs: dict[int, Recorded] = {}
    try:
        header = Header(*(first[name] for name in Header._fields))
    except KeyError as error:
        raise TwinError(f"{path}, line 1: says nothing of {error}.") from error
    versions = [dict(header.versions)]
    for number, line in enumerate(lines[1:], start=2):
        told = loaded(line, number, path)
        if "versions" in told:
            versions.append(told["versions"])
            continue
        try:
            values = told.pop("values")
            runs[told["run"]] = Recorded(Outcome(**told), values)
        except (KeyError, TypeError) as error:
            raise TwinError(f"{path}, line {number}: is no run of this version.") from error
    return header, runs, versions


def loaded(line: bytes, number: int, path: Path) -> dict[str, Any]:
    """The object of one line."""
    try:
        told = json.loads(line)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise TwinError(
            f"{path}, line {number}: is damaged; restore the file, or remove it to run all again."
        )
    return told


def refuse_other(old: Header, new: Header, path: Path) -> None:
    """TwinError where a record is of something else, with the first thing that differs."""
    if old.fingerprint != new.fingerprint:
        changes = list(differences(old.content, new.content, "")) or ["its simulator has changed"]
        what = f"the twin has changed since: {changes[0]}"
    elif changes := list(differences(old.plan, new.plan, "plan")):
        what = f"it is of another plan: {changes[0]}"
    elif old.seed != new.seed:
        what = f"it is of another seed: seed was {old.seed} and is {new.seed}"
    else:
        return
    more = f" ({len(changes) - 1} more)" if len(changes) > 1 else ""
    raise TwinError(f"{path}: {what}{more}; change it back to go on, or give another place.")


def differences(old: Any, new: Any, place: str) -> Iterator[str]:
    """What differs between two values of JSON, as `x1.high was 0.2 and is 0.3`."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*old, *(n for n in new if n not in old)]:
            inner = f"{place}.{name}" if place else str(name)
            if name not in old:
                yield f"{inner} is new"
            elif name not in new:
                yield f"{inner} is gone"
            else:
                yield from differences(old[name], new[name], inner)
    elif json.dumps(old) != json.dumps(new):
        yield f"{place} was {shown(old)} and is {shown(new)}"


def shown(value: Any) -> str:
    """A value, shortened."""
    text = json.dumps(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def sync_folder(folder: Path) -> None:
    """Wait until the disk knows the names of the files in a folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
