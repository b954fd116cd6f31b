"""Numeric arrays of MATLAB files; scipy's reader crashes on broken ones.

Versions 4 and 5 to 7 (MathWorks, "MAT-File Format"); 7.3 is HDF5 and is refused. Broken files raise
ValueError, struct.error or zlib.error.
"""

import mmap
import struct
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import numpy as np

from modalloy.media.blob import Blob, File

MATRIX, COMPRESSED = 14, 15
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
NUMERIC = range(6, 16)  # classes double, single and the integers; the others are text, cells ...
COMPLEX = 0x0800
HEAD = 1 << 16  # a compressed array's name and shape lie in its first bytes
Bytes = mmap.mmap | bytes
TYPES_4 = ("f8", "f4", "i4", "i2", "u2", "u1")


class Variable(NamedTuple):
    """An array in a file: what it claims to be, and where its bytes lie.

    dtype: type of its plain numbers (version 4), None where they are an element with a tag.
    """

    name: str
    shape: tuple[int, ...]
    start: int
    size: int
    dtype: np.dtype | None = None


def list_arrays(path: File) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the real numeric arrays."""
    with _mapped(path) as data:
        return {v.name: v.shape for v in _variables(data)}


def load_array(path: File, name: str, limit: int) -> np.ndarray:
    """One of them, column by column as MATLAB writes it, but unpacked to `limit` bytes at most."""
    with _mapped(path) as data:
        found = next(v for v in _variables(data) if v.name == name)
        raw = data[found.start : found.start + found.size]
        if found.dtype is not None:
            return np.frombuffer(raw, found.dtype).reshape(found.shape, order="F")
        order = _byte_order(data)
        kind, size = struct.unpack_from(order + "II", raw)
        body = raw[8 : 8 + size]
        if kind == COMPRESSED:
            # The unpacked bytes begin with the tag of the array inside.
            body = zlib.decompressobj().decompress(body, limit + HEAD)[8:]
        _, shape, _, at = _head(body, order)
        kind, part, _ = _part(body, at, order)
        flat = np.frombuffer(part, np.dtype(order + TYPES[kind]))
        return flat.reshape(shape, order="F")


def _mapped(path: File) -> AbstractContextManager[Bytes]:
    if isinstance(path, Blob):
        return nullcontext(path.data)
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _variables(data: Bytes) -> Iterator[Variable]:
    if _is_version_4(data):
        yield from _variables_4(data)
        return
    order, at = _byte_order(data), 128
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(order + "II", data, at)
        if at + 8 + size > len(data):
            raise ValueError("the file is truncated")
        head = data[at + 8 : at + 8 + min(size, HEAD)]
        if kind == COMPRESSED:
            head = zlib.decompressobj().decompress(head, HEAD)
            inner, _ = struct.unpack_from(order + "II", head)
            head = head[8:] if inner == MATRIX else b""
        if kind in (MATRIX, COMPRESSED) and head:
            name, shape, flags, _ = _head(head, order)
            if flags & 0xFF in NUMERIC and not flags & COMPLEX:
                yield Variable(name, shape, at, 8 + size)
        at += 8 + size


def _head(body: bytes, order: str) -> tuple[str, tuple[int, ...], int, int]:
    """Name, shape and flags of an array, and where its numbers begin."""
    _, part, at = _part(body, 0, order)
    (flags,) = struct.unpack_from(order + "I", part)
    _, part, at = _part(body, at, order)
    shape = struct.unpack(f"{order}{len(part) // 4}i", part[: len(part) // 4 * 4])
    _, part, at = _part(body, at, order)
    if min(shape, default=0) < 0:
        raise ValueError(f"an array claims the shape {shape}")
    return part.decode("latin-1"), shape, flags, at


def _part(body: bytes, at: int, order: str) -> tuple[int, bytes, int]:
    """Type and bytes of the element at a place, and the place behind it."""
    (word,) = struct.unpack_from(order + "I", body, at)
    if word >> 16:  # four bytes or less are packed into the tag
        return word & 0xFFFF, body[at + 4 : at + 4 + (word >> 16)], at + 8
    (size,) = struct.unpack_from(order + "I", body, at + 4)
    return word, body[at + 8 : at + 8 + size], at + 8 + (size + 7) // 8 * 8


def _byte_order(data: Bytes) -> str:
    if data[:10] == b"MATLAB 7.3":
        raise ValueError("it is a MATLAB 7.3 file (HDF5); save it with save(..., '-v7')")
    marks = {b"IM": "<", b"MI": ">"}
    if data[126:128] not in marks:
        raise ValueError("it is no MATLAB file")
    return marks[data[126:128]]


# --- version 4 ---------------------------------------------------------------------------------


def _is_version_4(data: Bytes) -> bool:
    """Later versions begin with text."""
    return 0 in data[:4]


def _variables_4(data: Bytes) -> Iterator[Variable]:
    at = 0
    while at + 20 <= len(data):
        kind, dtype, (rows, columns, imaginary, letters) = _head_4(data, at)
        if min(rows, columns, letters) < 1:
            raise ValueError("an array claims no size")
        begin, size = at + 20 + letters, rows * columns * dtype.itemsize
        if begin + size > len(data):
            raise ValueError("the file is truncated")
        if kind == 0 and not imaginary:
            name = data[at + 20 : begin].rstrip(b"\0").decode("latin-1")
            yield Variable(name, (rows, columns), begin, size, dtype)
        at = begin + size * (2 if imaginary else 1)


def _head_4(data: Bytes, at: int) -> tuple[int, np.dtype, tuple[int, ...]]:
    """Kind (0: numbers, 1: text, 2: sparse), type of the numbers, rows, columns, ..."""
    order = "<" if struct.unpack_from("<I", data, at)[0] < 5000 else ">"
    code, *rest = struct.unpack_from(order + "5i", data, at)
    kind, number = code % 10, code // 10 % 10
    if kind > 2 or number >= len(TYPES_4) or code not in (code % 100, 1000 + code % 100):
        raise ValueError("it is no MATLAB file")
    return kind, np.dtype(order + TYPES_4[number]), tuple(rest)
