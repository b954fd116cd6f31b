"""`run.json`: what a run is, where it comes from, and the hashes that seal its parts."""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from modalloy.errors import RunError
from modalloy.machine.files import write_safely
from modalloy.runs.parts import PARTS, STAGED, refuse_name

FORMAT = 2  # of the runs that this version writes; `migrate` reads older ones


class Parent(NamedTuple):
    """Where a run comes from: the `identity` of another run, the verb that made it, its folder."""

    sha256: str
    verb: str
    path: str


@dataclass(frozen=True)
class Seal:
    """What `run.json` holds, as it is written there.

    identity: the file's sha256. It names the run as a whole, since the file holds the hashes of all
    parts and of the parent.
    """

    data: Mapping[str, Any]
    identity: str

    @property
    def format(self) -> int:
        """Format of the run's files; runs of versions that wrote none are of format 1."""
        return self.data.get("format", 1)

    @property
    def sha256(self) -> Mapping[str, str]:
        """Hash of each part by its name."""
        return self.data["sha256"]


def read_seal(path: Path) -> Seal:
    """The seal of a run directory; RunError where it is damaged or of a newer format."""
    file = path / "run.json"
    try:
        written = file.read_bytes()
    except OSError as error:
        raise RunError(f"{file}: cannot be read ({error.strerror}).") from error
    seal = Seal(parsed(file, written), hashlib.sha256(written).hexdigest())
    form, sha256 = seal.format, seal.data.get("sha256")
    damaged = RunError(f"{file}: is not what training wrote; restore it, or train again.")
    if not isinstance(form, int) or form < 1:
        raise damaged
    if form > FORMAT:
        by = seal.data.get("modalloy")
        raise RunError(
            f"{path}: made by a newer version (format {form}, modalloy {by}), and this one reads "
            f"formats up to {FORMAT}; upgrade modalloy."
        )
    if not isinstance(sha256, dict) or not isinstance(seal.data.get("notes"), dict):
        raise damaged
    for name in sha256.keys() - set(PARTS):
        refuse_name(name)
    return seal


def write_seal(path: Path, data: Mapping[str, Any]) -> Seal:
    """Seal a run directory: from then on it holds the parts with these hashes."""
    written = json.dumps(data, indent=1).encode()
    write_safely(path / "run.json", written)
    return Seal(data, hashlib.sha256(written).hexdigest())


def staged(path: Path, name: str) -> Path:
    """Where a part of a run is written before it takes the place of the older one."""
    return path / (name + STAGED)


def stage(path: Path, name: str, data: bytes) -> str:
    """Write a part beside the one that it is to replace; its sha256."""
    place = staged(path, name)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{place.parent}: cannot be made ({error.strerror}).") from error
    write_safely(place, data)
    return hashlib.sha256(data).hexdigest()


def put_in_place(path: Path, name: str, sealed: str | None) -> None:
    """Let a part that was written and sealed, but not yet in its place, take it."""
    with suppress(FileNotFoundError):  # nothing waits, or another process was quicker
        if digest(staged(path, name)) == sealed:
            os.replace(staged(path, name), path / name)


def find_sealed(path: Path, name: str, sealed: str | None) -> None:
    """See to it that a part of a run is the one that was sealed, or raise RunError."""
    refused = None
    try:
        put_in_place(path, name, sealed)
    except OSError as error:  # a run that is only read: mostly nothing is left to do
        refused = error
    found = digest(path / name) if (path / name).is_file() else None
    if found == sealed is not None:
        return
    if refused is not None:
        raise RunError(
            f"{path}: {staged(path, name).name} is to become {name}, which is not possible here "
            f"({refused.strerror}); copy this run to a place that can be written."
        ) from refused
    if found is None:
        raise RunError(f"{path}: {name} is missing, so this run cannot be used.")
    raise RunError(
        f"{path}: {name} is not the file that training wrote (its sha256 differs); restore it, or "
        "train again."
    )


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file, or a sentence."""
    try:
        return parsed(path, path.read_bytes())
    except OSError as error:
        raise RunError(f"{path}: cannot be read as JSON ({error}).") from error


def parsed(path: Path, written: bytes) -> dict[str, Any]:
    """What a JSON file holds, or a sentence."""
    try:
        found = json.loads(written)
    except ValueError as error:
        raise RunError(f"{path}: cannot be read as JSON ({error}).") from error
    if not isinstance(found, dict):
        raise RunError(f"{path}: is not what training wrote; restore it, or train again.")
    return found


def digest(path: Path) -> str:
    """sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
