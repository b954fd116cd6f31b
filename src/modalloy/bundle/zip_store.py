"""The members of a bundle that is one zip file."""

import os
import stat
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from modalloy.bundle.names import refuse_names
from modalloy.bundle.sizes import refuse_sizes
from modalloy.bundle.zip_form import STORED, Entry, read_directory, refuse_gaps
from modalloy.errors import BundleError

CHUNK = 1 << 20


@dataclass(frozen=True)
class ZipStore:
    """Members of a zip file by their names; `open` has looked at all but their data.

    begins: where the data of each lies, in bytes. seen: what `fstat` said of the file, which has to
    stay so.
    """

    path: Path
    entries: Mapping[str, Entry]
    begins: Mapping[str, int]
    seen: tuple[int, ...]

    @classmethod
    def open(cls, path: Path) -> Self:
        """BundleError for a file that is no zip, or one that is damaged or unsafe."""
        where = str(path)
        try:
            with _open(path) as file:
                seen = _seen(file)
                entries, end = read_directory(file, os.fstat(file.fileno()).st_size, where)
                folders = [e.name.rstrip("/") for e in entries if e.name.endswith("/")]
                found = [e for e in entries if not e.name.endswith("/")]
                refuse_names([e.name for e in found], folders, where)
                refuse_sizes({e.name: e.size for e in found}, where)
                begins = refuse_gaps(file, entries, end, where)
        except OSError as error:
            raise BundleError(f"{path}: cannot be read ({error.strerror}).") from error
        return cls(path, {e.name: e for e in found}, begins, seen)

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each member, unpacked."""
        return {name: entry.size for name, entry in self.entries.items()}

    def read(self, name: str) -> bytes:
        """A member's bytes, as many as its entry says; BundleError where they are damaged."""
        entry = self.entries[name]
        try:
            with _open(self.path) as file:
                if _seen(file) != self.seen:
                    raise BundleError(
                        f"{self.path}: has changed since it was opened; open it anew."
                    )
                file.seek(self.begins[name])
                data = file.read(entry.size) if entry.method == STORED else _inflate(file, entry)
        except (OSError, zlib.error) as error:
            why = getattr(error, "strerror", None) or error
            raise BundleError(f"{self.path}: '{name}' cannot be read ({why}).") from error
        if len(data) != entry.size or zlib.crc32(data) != entry.crc:
            raise BundleError(
                f"{self.path}: '{name}' is damaged (its checksum differs); copy the bundle again."
            )
        return data


def _open(path: Path) -> BinaryIO:
    """The file; what is no plain file (a pipe) is refused instead of waited for."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:
        raise BundleError(f"{str(path)!a} cannot be the name of a file.") from error
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise BundleError(f"{path}: is neither a file nor a folder.")
    return os.fdopen(number, "rb")


def _seen(file: BinaryIO) -> tuple[int, ...]:
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _inflate(file: BinaryIO, entry: Entry) -> bytes:
    """The deflated bytes from here, unpacked; never more than their entry says, and one."""
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    data, left = bytearray(), entry.packed
    while left and not unpack.eof and len(data) <= entry.size:
        chunk = file.read(min(CHUNK, left))
        if not chunk:
            break
        left -= len(chunk)
        while chunk and len(data) <= entry.size:
            data += unpack.decompress(chunk, min(CHUNK, entry.size + 1 - len(data)))
            chunk = unpack.unconsumed_tail
    if left or not unpack.eof or unpack.unused_data:
        return b""  # which has another size, or another checksum
    return bytes(data)
