"""Who asked for what: one line of JSON a request, each with the hash of the line before it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modalloy.errors import RequestError, RunError

FILE = "audit.jsonl"
START = "0" * 64  # stands for the line before the first one


class Audit:
    """The log in a deployment's folder; one process writes it at a time, which holds a lock."""

    def __init__(self, live: Path) -> None:
        self.path = live / FILE
        self.last, self.size = START, 0
        for line in lines_of(self.path):
            self.last = hash_of(line)
            self.size += len(line) + 1
        # Unbuffered, so that a line that the disk refused is not written later by accident.
        self.file = open(self.path, "ab", buffering=0)  # noqa: SIM115 until the service ends
        self.file.truncate(self.size)  # what a killed process left of a line

    def write(self, facts: Mapping[str, Any]) -> None:
        """Add a line; RequestError (507) where the disk does not take it."""
        line = json.dumps({**facts, "before": self.last}, allow_nan=False).encode()
        try:
            written = self.file.write(line + b"\n")
            if written != len(line) + 1:
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


def check_audit(path: Path) -> int:
    """How many lines a log has; RunError names the first one that was changed or taken out."""
    before, count = START, 0
    for line in lines_of(path):
        count += 1
        try:
            said = json.loads(line).get("before")
        except (ValueError, AttributeError):
            said = None
        if said != before:
            raise RunError(
                f"{path}: line {count} does not follow the one before it; a line there was changed "
                "or taken out."
            )
        before = hash_of(line)
    return count


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a log, without what a process that was killed left of one."""
    if not path.exists():
        return
    with open(path, "rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line[:-1]


def hash_of(line: bytes) -> str:
    """What the next line says of this one."""
    return hashlib.sha256(line).hexdigest()
