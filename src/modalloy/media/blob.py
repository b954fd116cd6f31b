"""A media file that a cell holds as bytes; what reads files reads it in a path's place."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO, TypeGuard

from modalloy.errors import TableError

SIGNS = {b"\x93NUMPY": ".npy", b"PK\x03\x04": ".npz", b"RIFF": ".wav", b"MATLAB": ".mat"}
BOMS = (b"\xff\xfe", b"\xfe\xff")  # of text in UTF-16, half of whose bytes may be zero
HEAD = 4096


@dataclass(frozen=True)
class Blob:
    """The bytes of one file. What it is, its first bytes say; it has no name."""

    data: bytes = field(repr=False)

    def __str__(self) -> str:
        return "the file given as bytes"

    def open(self, mode: str = "r", *, encoding: str | None = None, errors: str = "strict") -> IO:
        """The bytes as an open file, as `Path.open` gives one."""
        raw = io.BytesIO(self.data)
        return raw if "b" in mode else io.TextIOWrapper(raw, encoding, errors)

    @property
    def name(self) -> str:
        """How a sentence calls it."""
        return str(self)

    @property
    def suffix(self) -> str:
        """The ending that a file of samples of this kind has; TableError for bytes of no kind."""
        for sign, ending in SIGNS.items():
            if self.data.startswith(sign):
                return ending
        if self.data.startswith(BOMS) or b"\0" not in self.data[:HEAD]:
            return ".csv"
        raise TableError(f"{self} begins as no file of samples does: NumPy, MATLAB, CSV or WAV")


File = Path | Blob


def is_bytes(cell: Any) -> TypeGuard[bytes | bytearray | memoryview]:
    """Whether a cell holds a file itself."""
    return isinstance(cell, bytes | bytearray | memoryview)


def called(cell: Any) -> str:
    """A media cell in a sentence: its path, or that it was given as bytes."""
    return str(Blob(b"")) if is_bytes(cell) else str(cell)


def handle(file: File) -> Path | BinaryIO:
    """What decoders open: a path, or the bytes as an open file."""
    return io.BytesIO(file.data) if isinstance(file, Blob) else file


def size_of(file: File) -> int:
    """Bytes of the file."""
    return len(file.data) if isinstance(file, Blob) else file.stat().st_size
