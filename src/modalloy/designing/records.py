"""What a search for designs did, state after state: records that are written once and chained."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from modalloy.errors import DesignError
from modalloy.machine.files import write_safely

State = Literal[
    "plan",
    "simulate",
    "ingest",
    "train",
    "calibrate",
    "propose",
    "verify",
    "infill",
    "accept",
]
# What may follow what. A search begins with `plan` and is done after `accept`.
AFTER: dict[State, tuple[State, ...]] = {
    "plan": ("simulate",),
    "simulate": ("ingest",),
    "ingest": ("train",),
    "train": ("calibrate",),
    "calibrate": ("propose",),
    "propose": ("verify", "accept"),
    "verify": ("infill", "accept"),
    "infill": ("train",),
    "accept": (),
}
FORMAT = 1  # of what records hold; another one where facts are added or gone
NAME = re.compile(r"(\d{4,})-([a-z]+)\.json")


class Record(NamedTuple):
    """number: from 0. facts: as JSON. seal: SHA-256 of the file, which the next record repeats."""

    number: int
    state: State
    facts: dict[str, Any]
    seal: str


class Records:
    """A folder of records, in order."""

    def __init__(self, folder: Path) -> None:
        """What stands in the folder is read; DesignError where a record was changed or is gone,
        or was written by a version that says other things."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.all: list[Record] = []
        for path in sorted(p for p in folder.iterdir() if NAME.fullmatch(p.name)):
            self.all.append(self._read(path))

    def write(self, state: State, facts: Mapping[str, Any]) -> Record:
        """Add a record of a state that may follow the last one."""
        assert state in self.next(), f"{state} cannot follow {self.last()}"
        number = len(self.all)
        told = {
            "format": FORMAT,
            "number": number,
            "state": state,
            "before": self.seal(),
            "facts": dict(facts),
        }
        data = json.dumps(told, indent=1, allow_nan=False, ensure_ascii=False).encode()
        path = self.folder / f"{number:04d}-{state}.json"
        write_safely(path, data)
        path.chmod(0o444)
        self.all.append(Record(number, state, json.loads(data)["facts"], sealed(data)))
        return self.all[-1]

    def next(self) -> tuple[State, ...]:
        """States that may come now."""
        return AFTER[self.all[-1].state] if self.all else ("plan",)

    def last(self, *states: State) -> Record | None:
        """The latest record, of some states or of any."""
        found = [r for r in self.all if not states or r.state in states]
        return found[-1] if found else None

    def of(self, state: State) -> list[Record]:
        """Every record of a state."""
        return [r for r in self.all if r.state == state]

    def seal(self) -> str:
        """Of the latest record; empty before the first."""
        return self.all[-1].seal if self.all else ""

    def _read(self, path: Path) -> Record:
        data = path.read_bytes()
        found = NAME.fullmatch(path.name)
        assert found is not None
        number, state = len(self.all), found[2]
        try:
            told = json.loads(data)
            whole = (told["number"], told["state"], told["before"]) == (number, state, self.seal())
            facts = dict(told["facts"])
        except (ValueError, KeyError, TypeError) as error:
            raise DesignError(f"{path}: is no record of a search; nothing was changed.") from error
        if told.get("format") != FORMAT:
            raise DesignError(
                f"{path}: was written by another version of Modalloy; look at it with that one, or "
                "begin anew in another folder."
            )
        if not whole or state not in get_args(State) or state not in self.next():
            raise DesignError(
                f"{path}: does not follow the record before it: one was changed, taken away or put "
                "in; begin anew in another folder."
            )
        return Record(number, state, facts, sealed(data))


def sealed(data: bytes) -> str:
    """SHA-256 of a record's file."""
    return hashlib.sha256(data).hexdigest()
