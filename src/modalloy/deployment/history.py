"""What happened to a deployment: immutable records, each with the hash of the one before.

`newest.json` beside them names the last record with its hash, so that one taken off the end is
missed too. Whoever is killed between a record and `newest.json` leaves that one record unnamed.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from modalloy.errors import RunError
from modalloy.machine.files import write_safely
from modalloy.runs.seal import read_json

START = "0" * 64  # stands for the record before the first one
NEWEST = "newest.json"
KEYS = {"number", "at", "state", "facts", "before", "sha256"}


class Record(NamedTuple):
    """One thing that happened.

    at: seconds since 1970. state: of which kind it is. facts: what is to be known of it. before:
    SHA-256 of the record before; sha256: of this one.
    """

    number: int
    at: float
    state: str
    facts: Mapping[str, Any]
    before: str
    sha256: str


class History:
    """The records in a folder. Who appends must hold the deployment's lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def append(self, state: str, facts: Mapping[str, Any], at: float) -> Record:
        """Write one more record; once this returns it outlives a crash of the machine."""
        numbers = self._numbers()
        before = self._read(numbers[-1]).sha256 if numbers else START
        number = (numbers[-1] if numbers else 0) + 1
        told = json.loads(json.dumps(dict(facts), allow_nan=False))  # as it will be read again
        body = {"number": number, "at": at, "state": state, "facts": told, "before": before}
        found = Record(number, at, state, told, before, hash_of(body))
        write_durably(self._file(number), as_written(body, found.sha256))
        now = {"record": number, "sha256": found.sha256}
        write_durably(self.folder / NEWEST, json.dumps(now, indent=1).encode())
        return found

    def read(self) -> list[Record]:
        """All records, oldest first; RunError names one that is missing or was changed."""
        newest = self._newest()  # before the records: another process may add some meanwhile
        found: list[Record] = []
        for expected, number in enumerate(self._numbers(), start=1):
            if number != expected:
                raise RunError(
                    f"{self._file(expected)}: is missing, so what happened then is not known; "
                    "restore it from a copy."
                )
            record = self._read(number)
            if record.before != (found[-1].sha256 if found else START):
                changed = self._file(number - 1) if found else self._file(number)
                raise RunError(
                    f"{changed}: was changed since it was written (the record after it holds "
                    "another SHA-256); restore it from a copy."
                )
            found.append(record)
        if newest is not None and newest not in {(r.number, r.sha256) for r in found}:
            raise RunError(
                f"{self.folder / NEWEST}: says that record {newest[0]} is the last one, which is "
                "missing or was changed (its SHA-256 differs); restore both from a copy."
            )
        return found

    def one(self, number: int) -> Record:
        """A single record; RunError where it is missing or was changed."""
        return self._read(number)

    def _newest(self) -> tuple[Any, Any] | None:
        """Number and SHA-256 of the last record; None in a folder of an older version."""
        path = self.folder / NEWEST
        if not path.is_file():
            return None
        named = read_json(path)
        return named.get("record"), named.get("sha256")

    def _numbers(self) -> list[int]:
        names = (path.stem for path in self.folder.glob("*.json"))
        return sorted(int(name) for name in names if name.isdigit())

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:06d}.json"

    def _read(self, number: int) -> Record:
        path = self._file(number)
        try:
            written = path.read_bytes()
        except OSError as error:
            raise RunError(
                f"{path}: cannot be read ({error.strerror}); restore it from a copy."
            ) from error
        try:
            data = json.loads(written)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict) or data.keys() != KEYS or data["number"] != number:
            raise RunError(f"{path}: is no record that was written here; restore it from a copy.")
        sha256 = data.pop("sha256")
        if not whole(data, sha256, written):
            raise RunError(
                f"{path}: was changed since it was written (its SHA-256 differs); restore it from "
                "a copy."
            )
        return Record(**data, sha256=sha256)


def whole(body: Mapping[str, Any], sha256: Any, written: bytes) -> bool:
    """Whether a record is what was hashed, to the byte."""
    try:
        return sha256 == hash_of(body) and written == as_written(body, sha256)
    except ValueError:  # a number that is not finite was never written
        return False


def as_written(body: Mapping[str, Any], sha256: str) -> bytes:
    """The file of a record."""
    return json.dumps({**body, "sha256": sha256}, indent=1, allow_nan=False).encode()


def hash_of(body: Mapping[str, Any]) -> str:
    """SHA-256 of what a record says, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, allow_nan=False).encode()).hexdigest()


def write_durably(path: Path, data: bytes) -> None:
    """`write_safely`, with the name of the file on disk too when this returns."""
    write_safely(path, data)
    try:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise RunError(f"{path.parent}: cannot be written ({error.strerror}).") from error
