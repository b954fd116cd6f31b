"""What a part of a bundle is made from, and how its file comes to lie on disk for good."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from modalloy.errors import BundleError, RunError
from modalloy.machine.files import locked

Part = bytes | Path  # what a part holds, or a file with it


def content(part: Part) -> bytes:
    """The bytes of a part; BundleError where its file cannot be read."""
    if not isinstance(part, Path):
        return part
    try:
        return part.read_bytes()
    except OSError as error:
        raise BundleError(f"{part}: cannot be read ({error.strerror}).") from error


def refuse_change(name: str, data: bytes, sha256: Mapping[str, str]) -> None:
    """BundleError where a part's file has other bytes than when the manifest was made."""
    if name in sha256 and hashlib.sha256(data).hexdigest() != sha256[name]:
        raise BundleError(f"the file of '{name}' changed while the bundle was written; try again.")


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Hold a bundle while it is written: one process at a time."""
    try:
        with locked(lock, f"{lock}: another process is writing this bundle; try again later."):
            yield
    except RunError as error:
        raise BundleError(str(error)) from error


def write_file(path: Path, data: bytes) -> None:
    """Write a file to its end, on disk; a reader may see it half written."""
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Let the names in a folder outlast a power cut."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
