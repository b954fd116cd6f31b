"""Arrow record batches, in memory when small and mapped from disk when large."""

import errno
import mmap
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modalloy.cells.values import spelled
from modalloy.errors import TableError

BATCH_ROWS = 65_536
BATCH_BYTES = 16 << 20
PAGES_BYTES = 64 << 10  # what the system maps in around one cell
DIGITS = 18  # of decimals that are whole numbers of 64 bits
RESIDENT_BYTES = 128 << 20  # mapped pages are given back after this many bytes were touched


class Stream(NamedTuple):
    """A source before it is read: its columns, its rows batch by batch, and its rough size.

    notes: what the user should know about how it is read, a sentence each.
    """

    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]
    size: int
    notes: tuple[str, ...] = ()


class Batches:
    """All rows as aligned record batches, with the row at which each batch starts.

    Held in memory, or mapped from a file in a temporary folder that lives as long as this object. A
    copy sent to another process maps the same file again instead of carrying the rows.
    """

    def __init__(self, batches: list[pa.RecordBatch], schema: pa.Schema) -> None:
        """Hold aligned batches of one schema."""
        self.batches, self.schema = batches, schema
        sizes = [b.num_rows for b in batches]
        self.starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.folder: Path | None = None
        self._map: mmap.mmap | None = None
        self._first: Batches | None = None  # whose folder is mapped, where these are renamed
        self._touched = 0
        self._lock = threading.Lock()

    @property
    def rows(self) -> int:
        """Rows of all batches together."""
        return int(self.starts[-1])

    @classmethod
    def mapped(cls, folder: Path) -> "Batches":
        """The batches of `rows.arrow` in this folder, read from disk as they are asked for."""
        with (folder / "rows.arrow").open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        reader = pa.ipc.open_file(pa.py_buffer(mapped))
        batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
        out = cls(batches, reader.schema)
        out.folder, out._map = folder, mapped
        return out

    def renamed(self, names: list[str]) -> "Batches":
        """The same rows, their columns called so."""
        schema = pa.schema([f.with_name(n) for f, n in zip(self.schema, names, strict=True)])
        out = Batches([b.rename_columns(names) for b in self.batches], schema)
        out.folder, out._map, out._first = self.folder, self._map, self
        return out

    def beside(self, name: str, texts: list[str | None]) -> "Batches":
        """The same rows with one more column, of texts; it is held in memory."""
        schema = self.schema.append(pa.field(name, pa.string()))
        ends = zip(self.starts[:-1], self.starts[1:], self.batches, strict=True)
        batches = [
            pa.RecordBatch.from_arrays(
                [*batch.columns, pa.array(texts[first:last], pa.string())], schema=schema
            )
            for first, last, batch in ends
        ]
        out = Batches(batches, schema)
        out._map, out._first = self._map, self
        return out

    def replaced(self, name: str, cells: pa.Array) -> "Batches":
        """The same rows with other cells in a column; they are held in memory."""
        at = self.schema.get_field_index(name)
        schema = self.schema.set(at, pa.field(name, cells.type))
        ends = zip(self.starts[:-1], self.starts[1:], self.batches, strict=True)
        batches = [
            pa.RecordBatch.from_arrays(
                [*batch.columns[:at], cells[first:last], *batch.columns[at + 1 :]], schema=schema
            )
            for first, last, batch in ends
        ]
        out = Batches(batches, schema)
        out._map, out._first = self._map, self
        return out

    def touch(self, rows: int, size: int) -> None:
        """Note that cells were read; gives mapped pages back to the system now and then."""
        if self._map is None or not hasattr(mmap, "MADV_DONTNEED"):
            return
        with self._lock:
            self._touched += max(size, rows * PAGES_BYTES)
            if self._touched > RESIDENT_BYTES:
                self._map.madvise(mmap.MADV_DONTNEED)
                self._touched = 0

    def __getstate__(self) -> dict[str, Any]:
        """The folder of mapped rows, or the rows themselves where they are in memory."""
        held = None if self.folder else self.batches
        return {"folder": self.folder, "batches": held, "schema": self.schema}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Map the folder again, or take the rows that came along."""
        folder, schema = state["folder"], state["schema"]
        if folder is None:
            held = Batches(state["batches"], schema)
        else:
            held = self.mapped(folder).renamed(schema.names)
        self.__dict__.update(held.__dict__)


def hold(stream: Stream, spool_above_mb: float) -> Batches:
    """Read a stream once: into memory, or through a temporary file where it is larger than this.

    The file is uncompressed Arrow IPC, so that any row is reached without reading the others. It
    lies in `TMPDIR` and is removed with the object that maps it.
    """
    schema = pa.schema([(f.name, plain_type(f.type)) for f in stream.schema])
    batches = (_plain_batch(batch, schema) for batch in stream.batches)
    if stream.size <= spool_above_mb * 2**20:
        whole = pa.Table.from_batches(batches, schema).combine_chunks()
        return Batches([b for b in whole.to_batches() if b.num_rows], schema)
    folder = Path(tempfile.mkdtemp(prefix="modalloy-"))
    try:
        with (
            pa.OSFile(str(folder / "rows.arrow"), "wb") as file,
            pa.ipc.new_file(file, schema) as out,
        ):
            for batch in _evened(batches, schema):
                out.write_batch(batch)
        held = Batches.mapped(folder)
    except BaseException as fault:
        shutil.rmtree(folder)
        if isinstance(fault, OSError) and fault.errno == errno.ENOSPC:
            raise TableError(
                f"The disk of {folder.parent} is full: a table larger than {spool_above_mb:g} MB "
                "is laid out there first. Free some space or set TMPDIR to a larger disk."
            ) from fault
        raise
    weakref.finalize(held, _remove, folder, os.getpid())
    return held


def _remove(folder: Path, owner: int) -> None:
    """Remove the temporary folder, unless this is a forked copy of the process that made it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _evened(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of a like size: random access suffers from many small ones."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        fitting = int(batch.num_rows * BATCH_BYTES / max(batch.nbytes, 1))
        step = max(1, min(BATCH_ROWS, fitting))
        for start in range(0, batch.num_rows, step):
            held.append(batch.slice(start, step))
            rows = sum(b.num_rows for b in held)
            if rows >= BATCH_ROWS or sum(b.nbytes for b in held) >= BATCH_BYTES:
                yield from pa.Table.from_batches(held, schema).combine_chunks().to_batches()
                held = []
    if held:
        yield from pa.Table.from_batches(held, schema).combine_chunks().to_batches()


def _plain_batch(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The same rows with the plain types of `schema`; a column that the batch lacks is empty."""
    have = set(batch.schema.names)
    arrays = [
        plain(batch.column(f.name), f.type) if f.name in have else pa.nulls(len(batch), f.type)
        for f in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type that a column is held in: one spelling each for numbers, text, times and lists.

    Categories are written out, decimals become float64 (whole ones stay whole), durations seconds,
    clock times text (08:30), half floats outside lists float32, lists of fixed size plain lists.
    """
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return plain_type(kind.value_type)
    if pa.types.is_decimal(kind) and kind.scale == 0:  # ids, as databases keep them
        return pa.int64() if kind.precision <= DIGITS else pa.string()
    if pa.types.is_time(kind):
        return pa.string()
    if pa.types.is_decimal(kind) or pa.types.is_duration(kind):
        return pa.float64()
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_null(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_type)
    return kind


def plain(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """The array in a type that `plain_type` gave."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    held = array.type
    if held.equals(kind):
        return array
    if pa.types.is_dictionary(held):
        return plain(array.dictionary_decode(), kind)
    if pa.types.is_time(held):
        return pa.array([spelled(c) for c in array.to_pylist()], kind)
    if pa.types.is_duration(held):
        ticks = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[held.unit]
        whole = array.cast(pa.int32() if held.bit_width == 32 else pa.int64())
        return pc.divide(whole.cast(pa.float64()), float(ticks))
    return array.cast(kind)
