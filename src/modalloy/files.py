"""Bytes in, a whole file on disk out - or the old one, whatever happens meanwhile."""

import os
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
