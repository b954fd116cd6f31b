"""The folder of a served model: versions, which of them answers, and what happened to it.

    about.json              tasks with their columns, inputs; written once
    current.json            the version that answers; replaced whole
    versions/N.json         each version; versions/N/ the run, where a refresh made it
    history/000001.json     what happened, in order
    rows.sqlite, media/     rows answered and their labels: see `row_log`

A switch is decided by its record in the history; `current.json` follows it. Whoever is killed
between the two has switched: the next one who opens the folder writes `current.json` after it.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from modalloy.deployment.about import describe
from modalloy.deployment.history import History, Record, write_durably
from modalloy.deployment.version import Version, identity_of, read_version
from modalloy.errors import RunError
from modalloy.machine.files import locked
from modalloy.runs.seal import read_json

SWAPPED, ROLLED_BACK, MADE = "swapped", "rolled back", "made"
SWITCHES = (MADE, SWAPPED, ROLLED_BACK)
PATIENCE_S = 30.0  # that another process may hold the folder; none holds it for longer than a write


class Deployment:
    """A served model's folder; several processes may use it at a time.

    clock: says what time it is, seconds since 1970.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path, self.clock = path, clock
        self._history = History(path / "history")

    @classmethod
    def open(cls, path: Path, *, clock: Callable[[], float] = time.time) -> Self:
        """The deployment in a folder; RunError where there is none."""
        if not (path / "current.json").is_file():
            raise RunError(
                f"{path}: is not the folder of a served model; `modalloy serve RUN` makes one."
            )
        found = cls(path, clock=clock)
        found._settle()
        return found

    @classmethod
    def of(
        cls, model: Path, live: Path | None = None, *, clock: Callable[[], float] = time.time
    ) -> Self:
        """The deployment of a run or bundle, made at first use, its version 1 by reference.

        live: its folder, `MODEL.live` beside the model otherwise. RunError where it is of another
        model, or that run has been changed.
        """
        place = live_of(model) if live is None else live
        found = cls(place, clock=clock)
        if (place / "current.json").is_file():
            found._settle()
        else:
            found._make(model)
        digest = identity_of(model)
        if all(version.digest != digest for version in found.versions()):
            raise RunError(
                f"{place}: is of another model (version 1 is {found.version(1).path}, and {model} "
                "is none of its versions); give another folder with --live."
            )
        return found

    def current(self) -> Version:
        """The version that answers; RunError where it is not the one that the history names."""
        anchor = self._now()
        record = self._history.one(anchor["record"])
        said = (record.sha256, record.facts.get("to"), record.state in SWITCHES)
        if said != (anchor["sha256"], anchor["version"], True):
            raise RunError(
                f"{self.path / 'current.json'}: says that version {anchor['version']} answers by "
                f"record {anchor['record']}, which says otherwise; restore it from a copy."
            )
        return self._named_by(record)

    def version(self, number: int) -> Version:
        """A version by its number; RunError for one that there is not."""
        file = self._version_file(number)
        if not file.is_file():
            has = ", ".join(str(v.number) for v in self.versions())
            raise RunError(f"{self.path}: has no version {number}; it has {has}.")
        return read_version(file, self.path)

    def versions(self) -> list[Version]:
        """All versions, oldest first."""
        names = (file.stem for file in (self.path / "versions").glob("*.json"))
        numbers = sorted(int(name) for name in names if name.isdigit())
        return [read_version(self._version_file(number), self.path) for number in numbers]

    def room(self, number: int) -> Path:
        """Where a refresh puts the run of a version."""
        return self.path / "versions" / str(number)

    def next_number(self) -> int:
        """The number of the version that is added next."""
        return self.versions()[-1].number + 1

    def add(self, model: Path, *, origin: str) -> Version:
        """Add a run or bundle as a version, which answers nothing yet.

        A model that is a version already stays that one. origin: where it came from, in words.
        """
        digest = identity_of(model)
        with self._held():
            for version in self.versions():
                if version.digest == digest:
                    return version
            return self._add(self.next_number(), model, digest, origin)

    def swap(self, number: int, why: str, *, answering: int | None = None) -> Version:
        """Let a version answer from now on; RunError where what lies there is not what was added.

        A version that answers already stays, and nothing is recorded. answering: only where this
        version still answers; RunError where another one does.
        """
        version = self.version(number)
        version.check_whole()
        with self._held():
            now = self.current().number
            if answering not in (None, now) and now != number:
                raise RunError(
                    f"{self.path}: version {now} answers by now, not {answering}; nothing was "
                    "swapped."
                )
            if now != number:
                self._switch(SWAPPED, now, number, why)
        return version

    def rollback(self, why: str = "asked for", *, answering: int | None = None) -> Version:
        """Let the version answer that did before the current one came; that one, unchanged.

        answering: only where this version still answers. RunError where another one does, nothing
        came before, or it was changed since.
        """
        with self._held():
            order = self._answered()
            if answering not in (None, order[-1]):
                raise RunError(
                    f"{self.path}: version {order[-1]} answers by now, not {answering}; nothing "
                    "was rolled back."
                )
            if len(order) < 2:
                raise RunError(
                    f"{self.path}: version {order[-1]} answers, and none did before it; there is "
                    "nothing to roll back to."
                )
            version = self._named_by(self._came(order[-2]))
            version.check_whole()
            self._switch(ROLLED_BACK, order[-1], order[-2], why)
        return version

    def history(self) -> list[Record]:
        """What happened, oldest first; RunError names a record that is missing or was changed."""
        anchor = self._now()  # before the records: another process may add some meanwhile
        found = self._history.read()
        decisive = [r for r in found if r.number == anchor["record"] and r.state in SWITCHES]
        said = [(r.sha256, r.facts["to"]) for r in decisive]
        if said != [(anchor["sha256"], anchor["version"])]:
            raise RunError(
                f"{self.path / 'history'}: record {anchor['record']}, by which version "
                f"{anchor['version']} answers, is missing or was changed; restore it from a copy."
            )
        return found

    def record(self, state: str, **facts: Any) -> Record:
        """Write down what happened. facts: JSON, every number finite."""
        with self._held():
            return self._history.append(state, facts, self.clock())

    def about(self) -> dict[str, Any]:
        """The model's tasks with their columns, and its inputs."""
        return read_json(self.path / "about.json")

    def _make(self, model: Path) -> None:
        """Everything that a new folder holds; `current.json` comes last and says it is whole."""
        digest, about = identity_of(model), describe(model)
        try:
            for folder in (self.path, self.path / "versions", self.path / "history"):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                f"{self.path}: cannot be made ({error.strerror}); give a folder with --live."
            ) from error
        with self._held():
            if (self.path / "current.json").is_file():
                return
            write_durably(self.path / "about.json", json.dumps(about, indent=1).encode())
            if not self._version_file(1).is_file():
                self._add(1, model, digest, "given")
            records = self._history.read()
            if not records:
                facts = {"to": 1, "digest": digest, "why": f"{model.name} was given"}
                records = [self._history.append(MADE, facts, self.clock())]
            self._point(records[0])

    def _add(self, number: int, model: Path, digest: str, origin: str) -> Version:
        found = Version(number, model.resolve(), digest, origin, self.clock())
        write_durably(self._version_file(number), found.as_json(self.path))
        return found

    def _switch(self, state: str, old: int, new: int, why: str) -> None:
        facts = {"from": old, "to": new, "digest": self.version(new).digest, "why": why}
        self._point(self._history.append(state, facts, self.clock()))

    def _point(self, record: Record) -> None:
        """Let `current.json` say what a record has decided."""
        now = {"version": record.facts["to"], "record": record.number, "sha256": record.sha256}
        write_durably(self.path / "current.json", json.dumps(now, indent=1).encode())

    def _settle(self) -> None:
        """Finish a switch whose process was killed before `current.json` was written."""
        if self._decided().number == self._now()["record"]:
            return
        with self._held():
            self._point(self._decided())

    def _decided(self) -> Record:
        """The record that says which version answers."""
        found = [r for r in self._history.read() if r.state in SWITCHES]
        if not found:
            raise RunError(
                f"{self.path / 'history'}: holds no record of which version answers; restore it "
                "from a copy."
            )
        return found[-1]

    def _came(self, number: int) -> Record:
        """The last record by which a version came to answer."""
        switches = [r for r in self._history.read() if r.state in SWITCHES]
        return [r for r in switches if r.facts["to"] == number][-1]

    def _named_by(self, record: Record) -> Version:
        """The version that a record lets answer; RunError where another model is called so now."""
        version = self.version(record.facts["to"])
        if version.digest != record.facts["digest"]:
            raise RunError(
                f"{self._version_file(version.number)}: was changed since record {record.number} "
                "let it answer (it names a model of another SHA-256); restore it from a copy."
            )
        return version

    def _answered(self) -> list[int]:
        """Versions in the order in which they came to answer, without those rolled back."""
        order: list[int] = []
        for record in self._history.read():
            if record.state == ROLLED_BACK:
                order.pop()
            elif record.state in (MADE, SWAPPED):
                order.append(record.facts["to"])
        return order

    def _now(self) -> dict[str, Any]:
        path = self.path / "current.json"
        found = read_json(path)
        if found.keys() != {"version", "record", "sha256"}:
            raise RunError(f"{path}: is not what was written here; restore it from a copy.")
        return found

    def _version_file(self, number: int) -> Path:
        return self.path / "versions" / f"{number}.json"

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Nobody else writes here meanwhile."""
        refusal = f"{self.path}: another process has held it for {PATIENCE_S:.0f} s; try again."
        with locked(self.path / "writing.lock", refusal, patience_s=PATIENCE_S):
            yield


def live_of(model: Path) -> Path:
    """The folder of a served model beside its run or bundle."""
    whole = model.resolve()
    return whole.with_name(whole.name + ".live")
