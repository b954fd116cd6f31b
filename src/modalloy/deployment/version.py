"""One version of a served model: which run or bundle it is, and whether that is still unchanged."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple, Self

from modalloy.errors import RunError
from modalloy.runs.seal import find_sealed, read_json, read_seal


class Version(NamedTuple):
    """A run or bundle that answers, or did.

    digest: names it as a whole, `identity` of the run or bundle: SHA-256 of the file that holds the
    hashes of all its parts. origin: where it came from, in words. at: seconds since 1970 when it
    was added.
    """

    number: int
    path: Path
    digest: str
    origin: str
    at: float

    def as_json(self, live: Path) -> bytes:
        """As it is written, its path relative to the deployment where both may move together."""
        path, beside = self.path, live.resolve().parent
        inside = path.is_relative_to(beside)
        written = os.path.relpath(path, live.resolve()) if inside else str(path)
        data = {**self._asdict(), "path": written}
        return json.dumps(data, indent=1).encode()

    @classmethod
    def from_json(cls, data: dict[str, Any], live: Path) -> Self:
        """What `as_json` wrote."""
        path = Path(os.path.normpath(live.resolve() / data["path"]))
        return cls(data["number"], path, data["digest"], data["origin"], data["at"])

    def check(self) -> None:
        """RunError where what lies there is not the model that was added."""
        if identity_of(self.path) != self.digest:
            raise RunError(
                f"{self.path}: is not the model that was added as version {self.number} (its "
                "SHA-256 differs); restore it."
            )

    def check_whole(self) -> None:
        """`check`, and that every part of it is there unchanged: each is read once, none loaded.

        Raises RunError, for a bundle BundleError.
        """
        self.check()
        if is_run(self.path):
            for name, sha256 in read_seal(self.path).sha256.items():
                find_sealed(self.path, name, sha256)
            return
        from modalloy.bundle.archive import Archive

        archive = Archive.open(self.path)
        for name in archive.names:
            archive.read(name)


def is_run(path: Path) -> bool:
    """Whether a finished run lies there, rather than a bundle or nothing."""
    return (path / "run.json").is_file()


def identity_of(path: Path) -> str:
    """The SHA-256 that names the run or bundle at a path; RunError or BundleError for neither."""
    if is_run(path):
        return hashlib.sha256((path / "run.json").read_bytes()).hexdigest()
    if not path.exists():
        raise RunError(f"{path}: no such run or bundle.")
    from modalloy.bundle.archive import Archive
    from modalloy.bundle.names import MANIFEST

    if path.is_dir() and not (path / MANIFEST).is_file():
        raise RunError(f"{path}: is neither a finished run nor a bundle.")
    return Archive.open(path).manifest.identity


def read_version(file: Path, live: Path) -> Version:
    """A version as it was written; RunError where that is damaged."""
    data = read_json(file)
    if data.keys() != set(Version._fields):
        raise RunError(f"{file}: is no version that was written here; restore it from a copy.")
    return Version.from_json(data, live)
