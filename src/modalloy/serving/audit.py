"""Who asked for what: one line of JSON a request, each with the hash of the line before it.

The lines lie in `audit/000001.jsonl` and so on in the deployment; a full file is never touched
again, and the first line of the next one follows its last.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modalloy.errors import RequestError, RunError

FOLDER = "audit"
START = "0" * 64  # stands for the line before the first one
LARGEST = 1 << 26  # bytes of a file, after which the next one begins


class Audit:
    """The log of a deployment; one process writes it at a time. largest: bytes of one file."""

    def __init__(self, live: Path, *, largest: int = LARGEST) -> None:
        self.folder, self.largest = live / FOLDER, largest
        self.folder.mkdir(exist_ok=True)
        files = files_of(self.folder)
        self.number = int(files[-1].stem) if files else 1
        self.last, self.size = START, 0
        for path in files[-2:]:  # a new file may have no line yet
            self.size = 0
            for line in lines_of(path):
                self.last = hash_of(line)
                self.size += len(line) + 1
        self._open()

    def write(self, facts: Mapping[str, Any]) -> None:
        """Add a line; RequestError (507) where the disk does not take it."""
        line = json.dumps({**facts, "before": self.last}, allow_nan=False).encode()
        try:
            if self.size > self.largest:
                self.file.close()
                self.number, self.size = self.number + 1, 0
                self._open()
            if self.file.write(line + b"\n") != len(line) + 1:
                raise OSError("only a part was written")
        except OSError as error:
            self.file.truncate(self.size)
            raise RequestError(
                "the disk of the service takes no more; nothing is answered that cannot be "
                "written down.",
                507,
            ) from error
        self.last = hash_of(line)
        self.size += len(line) + 1

    def close(self) -> None:
        """Write no more."""
        self.file.close()

    def _open(self) -> None:
        place = self.folder / f"{self.number:06d}.jsonl"
        # Unbuffered, so that a line that the disk refused is not written later by accident.
        self.file = open(place, "ab", buffering=0)  # noqa: SIM115 until the service ends
        self.file.truncate(self.size)  # what a killed process left of a line


def check_audit(live: Path) -> int:
    """How many lines the log of a deployment has; RunError names the first one that was changed or
    taken out. Old files may have been moved away, the oldest first.
    """
    before, count = None, 0
    for path in files_of(live / FOLDER):
        for at, line in enumerate(lines_of(path), start=1):
            count += 1
            try:
                said = json.loads(line).get("before")
            except (ValueError, AttributeError):
                said = None
            if said is None or said != (said if before is None else before):
                raise RunError(
                    f"{path}: line {at} does not follow the one before it; a line there was "
                    "changed or taken out."
                )
            before = hash_of(line)
    return count


def files_of(folder: Path) -> list[Path]:
    """The files of a log, oldest first."""
    return sorted(path for path in folder.glob("*.jsonl") if path.stem.isdigit())


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a file, without what a process that was killed left of one."""
    with open(path, "rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line[:-1]


def hash_of(line: bytes) -> str:
    """What the next line says of this one."""
    return hashlib.sha256(line).hexdigest()
