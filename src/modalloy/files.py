"""Bytes in, a whole file on disk out - or the old one, whatever happens meanwhile."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modalloy.errors import RunError


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


@contextmanager
def locked(path: Path, refusal: str) -> Iterator[None]:
    """Hold a file that only one process may hold; it is free again when the process ends, however.

    Raises RunError with the refusal where another process holds it.
    """
    with open(path, "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(refusal) from error
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
