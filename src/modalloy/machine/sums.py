"""SHA-256 of the files in a folder, and which of them are no longer what they were."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Differing(NamedTuple):
    """Names of files that hold something else, are gone, or were not there before."""

    changed: list[str]
    missing: list[str]
    added: list[str]

    @property
    def any(self) -> bool:
        """Whether a file differs."""
        return bool(self.changed or self.missing or self.added)

    def lines(self) -> list[str]:
        """A line a file."""
        told = {"changed": self.changed, "missing": self.missing, "not listed": self.added}
        return [f"{what}: {name}" for what, names in told.items() for name in names]


def sums_of(folder: Path, *, but: tuple[str, ...] = ()) -> dict[str, str]:
    """Each file's name from the folder on, in their order, with its SHA-256 as 64 hex digits.

    but: files at the top that are left out.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name not in but and (path.is_symlink() or not path.is_dir()):
            found[name] = sum_of(path)
    return found


def sum_of(path: Path) -> str:
    """SHA-256 of a file as 64 hex digits; of a link the word `link`, which is no sum of a file."""
    if path.is_symlink():
        return "link"
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def differing(folder: Path, listed: Mapping[str, str], *, but: tuple[str, ...] = ()) -> Differing:
    """The files of a folder beside their sums of earlier."""
    now = sums_of(folder, but=but)
    return Differing(
        [name for name in listed if name in now and now[name] != listed[name]],
        [name for name in listed if name not in now],
        [name for name in now if name not in listed],
    )
