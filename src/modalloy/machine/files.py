"""Writing files so that a reader finds the old or the new one whole, whatever happens meanwhile."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from modalloy.errors import RunError

AGAIN_S = 0.01  # between two tries to hold a file


def write_safely(path: Path, data: bytes) -> None:
    """The whole file or the old one, whatever happens: temporary file, fsync, rename."""
    temporary = path.with_name(path.name + f".{os.getpid()}.part")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RunError(
            f"{path}: cannot be written ({error.strerror}); the older file is unharmed."
        ) from error


def write_private(path: Path, data: bytes) -> None:
    """A file that its owner alone may read, from its first byte on."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)


@contextmanager
def locked(path: Path, refusal: str, *, patience_s: float = 0.0) -> Iterator[None]:
    """Hold a file that only one process may hold; it is free again when the process ends, however.

    The file is gone afterwards. Raises RunError with the refusal where another process holds it,
    for longer than `patience_s`.
    """
    file = lock(path, refusal, patience_s)
    try:
        yield
    finally:
        # While it is still held: whoever opened it meanwhile finds out that its file is gone.
        path.unlink(missing_ok=True)
        file.close()


def lock(path: Path, refusal: str, patience_s: float) -> BinaryIO:
    """The file, open and held.

    Whoever held it before may have removed it between our opening and our holding: then we hold a
    file that the next process will not find, and have to take the new one.
    """
    last = time.monotonic() + patience_s
    while True:
        try:
            file = open(path, "wb")  # noqa: SIM115 it is held until the training ends
        except OSError as error:
            raise RunError(
                f"{path}: cannot be written ({error.strerror}); give another directory."
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                return file
        except BlockingIOError as error:
            if time.monotonic() >= last:
                file.close()
                raise RunError(refusal) from error
            time.sleep(AGAIN_S)
        except FileNotFoundError:
            pass
        file.close()


@contextmanager
def whole_folder(place: Path) -> Iterator[Path]:
    """A folder to fill, which takes its place when it is whole, or not at all.

    RunError where a file or a folder with files is there already, and where it cannot be written.
    """
    refuse_used(place)
    part = place.absolute().with_name(f".{place.absolute().name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        yield part
        if place.is_dir():
            place.rmdir()  # empty, as was looked at
        os.replace(part, place)
    except OSError as error:
        raise RunError(f"{place}: cannot be written ({error.strerror}).") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def refuse_used(place: Path) -> None:
    """RunError where a folder cannot be written because something is there."""
    if place.is_dir() and any(place.iterdir()):
        raise RunError(f"{place}: holds files; give a folder of its own, which is not there yet.")
    if place.exists() and not place.is_dir():
        raise RunError(f"{place}: is a file; give a folder that is not there yet.")


def remove_leftovers(folder: Path) -> None:
    """Remove what a process that was killed inside `write_safely` has left in a folder."""
    for path in folder.glob("*.[0-9]*.part"):
        path.unlink(missing_ok=True)
