"""The members of a bundle that is a folder."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from modalloy.bundle.names import LONGEST, MOST, is_waiting, refuse_form, refuse_names
from modalloy.bundle.sizes import refuse_sizes
from modalloy.errors import BundleError

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # never waits for a pipe


@dataclass(frozen=True)
class FolderStore:
    """Files of a folder by their names; nothing outside it is opened, whoever moves things in it.

    sizes: bytes of each. waiting: the same of files that a killed writer has not put in their
    places.
    """

    path: Path
    sizes: Mapping[str, int]
    waiting: Mapping[str, int]

    @classmethod
    def open(cls, path: Path) -> Self:
        """BundleError where links or special files lie in it, or names that no part has."""
        sizes: dict[str, int] = {}
        waiting: dict[str, int] = {}
        folders: list[str] = []
        try:
            root = os.open(path, FOLDER & ~os.O_NOFOLLOW)
            try:
                _walk(root, path, sizes, waiting, folders)
            finally:
                os.close(root)
        except OSError as error:
            raise BundleError(f"{path}: cannot be read ({error.strerror}).") from error
        refuse_names(sizes, folders, str(path))
        refuse_sizes(sizes, str(path))
        return cls(path, sizes, waiting)

    def read(self, name: str, size: int) -> bytes:
        """The bytes of a file, or of one that waits, which has to have this size (bytes)."""
        try:
            root = os.open(self.path, FOLDER & ~os.O_NOFOLLOW)
            try:
                file = _open_inside(root, name)
            finally:
                os.close(root)
            with os.fdopen(file, "rb") as stream:
                found = os.fstat(file)
                refuse_kind(found, name, self.path)
                # One byte more than it may have: a larger file is not read to its end.
                data = stream.read(min(size, found.st_size) + 1)
        except OSError as error:
            raise BundleError(
                f"{self.path}: '{name}' cannot be read, or has become a link ({error.strerror})."
            ) from error
        return data


def refuse_kind(found: os.stat_result, name: str, where: Path) -> None:
    """BundleError for what is no plain file that lies in this folder alone."""
    if stat.S_ISLNK(found.st_mode):
        what = "is a link"
    elif not stat.S_ISREG(found.st_mode):
        what = "is no plain file"
    elif found.st_nlink > 1:
        what = "lies in another place too (a hard link)"
    else:
        return
    raise BundleError(
        f"{where}: '{name}' {what}; a bundle holds plain files of its own alone. Copy the folder "
        "so that links become files."
    )


def _walk(
    root: int, path: Path, sizes: dict[str, int], waiting: dict[str, int], folders: list[str]
) -> None:
    """Sort what lies in an open folder, and in those inside it, by what it is."""
    todo, seen = [""], 0
    while todo:
        inside = todo.pop()
        number = _open_inside(root, inside, folder=True) if inside else os.dup(root)
        try:
            with os.scandir(number) as entries:
                for entry in entries:
                    seen += 1
                    if seen > 4 * MOST:
                        raise BundleError(f"{path}: holds more than {MOST} files; no bundle does.")
                    name = f"{inside}/{entry.name}" if inside else entry.name
                    found = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(found.st_mode):
                        refuse_form(name, str(path))
                        folders.append(name)
                        todo.append(name)
                        continue
                    refuse_kind(found, name[:LONGEST], path)
                    if is_waiting(name):
                        waiting[name] = found.st_size
                    else:
                        sizes[name] = found.st_size
        finally:
            os.close(number)


def _open_inside(root: int, name: str, *, folder: bool = False) -> int:
    """Open what lies in an open folder, step by step and never through a link."""
    *steps, last = name.split("/")
    at = os.dup(root)
    try:
        for step in steps:
            inner = os.open(step, FOLDER, dir_fd=at)
            os.close(at)
            at = inner
        return os.open(last, FOLDER if folder else FILE, dir_fd=at)
    finally:
        os.close(at)
