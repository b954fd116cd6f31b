"""What one frozen encoder says of a cell, found by the cell's content instead of its row."""

import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np

from modalloy.answer.content_store import ContentStore
from modalloy.media.blob import Blob, File
from modalloy.readers.batch import Arrays
from modalloy.readers.reader import Reader

READ_AS = "read as"  # what a file is kept under: the key of the arrays that it is read as


class ByContent:
    """Features by the arrays that a reader makes of a cell, and these by the bytes of its file, so
    that a file that was seen before is not even decoded.

    recipe: tells apart all that decides what the encoder makes of arrays, bit for bit.
    """

    def __init__(self, store: ContentStore, reader: Reader, recipe: bytes) -> None:
        self.store, self.recipe = store, recipe
        state = json.dumps([reader.kind, reader.state()], sort_keys=True, default=str)
        self._reading = digest(state.encode())

    def of_files(self, files: Mapping[int, File]) -> dict[int, Arrays]:
        """The features of those rows whose files were seen before, by row."""
        keys = {row: key for row, file in files.items() if (key := self._file_key(file))}
        read_as = {k: a[READ_AS].tobytes() for k, a in self.store.get([*keys.values()]).items()}
        found = self.store.get([*read_as.values()])
        return {
            row: found[read_as[key]]
            for row, key in keys.items()
            if key in read_as and read_as[key] in found
        }

    def of_arrays(self, rows: Mapping[int, Arrays]) -> dict[int, Arrays]:
        """The features of those rows whose arrays, as they were read, were seen before, by row."""
        keys = {row: self._key(arrays) for row, arrays in rows.items()}
        found = self.store.get([*keys.values()])
        return {row: found[key] for row, key in keys.items() if key in found}

    def keep(self, rows: Sequence[Arrays], made: Sequence[Arrays]) -> None:
        """Keep what the encoder has made of rows."""
        self.store.put({self._key(r): m for r, m in zip(rows, made, strict=True)})

    def note_files(self, read: Mapping[int, tuple[File, Arrays]]) -> None:
        """Keep what files were read as."""
        named = {}
        for file, arrays in read.values():
            key = self._file_key(file)
            if key is not None:
                named[key] = {READ_AS: np.frombuffer(self._key(arrays), np.uint8)}
        self.store.put(named)

    def _key(self, arrays: Arrays) -> bytes:
        """Of arrays as they were read: their names, types, shapes and numbers."""
        seen = hashlib.blake2b(self.recipe, digest_size=32)
        for name, array in sorted(arrays.items()):
            seen.update(repr((name, array.dtype.str, array.shape)).encode())
            seen.update(np.ascontiguousarray(array).tobytes())
        return seen.digest()

    def _file_key(self, file: File) -> bytes | None:
        """Of a file: its bytes, and how they are read; None for one that cannot be opened."""
        try:
            data = file.data if isinstance(file, Blob) else file.read_bytes()
        except OSError:
            return None
        return digest(self.recipe + self._reading + digest(data))


def digest(data: bytes) -> bytes:
    """Tells contents apart."""
    return hashlib.blake2b(data, digest_size=32).digest()
