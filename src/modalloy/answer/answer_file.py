"""Answers on their way to a Parquet or CSV file, some rows after another, in bounded memory."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from modalloy.errors import RunError, TableError

ROWS = 16_384  # that are written together: a row group of Parquet
ATTRS = b"PANDAS_ATTRS"  # where pandas looks for a frame's attrs


def check_place(path: Path) -> None:
    """Refuse a file that answers could not be written to, before they are worked out."""
    if path.suffix not in (".parquet", ".csv"):
        raise TableError(f"{path}: answers are written as .parquet or .csv.")
    if not path.absolute().parent.is_dir():
        raise TableError(f"{path}: there is no folder {path.parent}; make it first.")


def write_frame(frame: pd.DataFrame, path: Path, *, rows: int = ROWS) -> None:
    """Write answers as Parquet or CSV, by the ending, so many rows at a time."""
    with AnswerFile(path) as file:
        for start in range(0, max(1, len(frame)), rows):
            file.write(frame.iloc[start : start + rows])
        file.finish(frame.attrs)


class AnswerFile:
    """A file of answers. Use as a context: it appears under its name when it is finished, and until
    then an older one stays; whatever stopped it, nothing else is left.

    Lists become JSON in CSV. Blocks for Parquet wait in a file beside it, because only the last one
    tells the type of a column whose cells were all empty before.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.part = path.with_name(f"{path.name}.{os.getpid()}.part")
        self.blocks = path.with_name(f"{path.name}.{os.getpid()}.blocks")
        self.schemas: list[pa.Schema] = []
        self.count = 0
        self._file: IO[Any] | None = None

    @property
    def parquet(self) -> bool:
        """Whether it is Parquet; CSV otherwise."""
        return self.path.suffix == ".parquet"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            # What a full disk did not take is told already; closing would tell it once more.
            with suppress(OSError) if error is not None else nullcontext():
                self._file.close()
        for left in (self.part, self.blocks):
            left.unlink(missing_ok=True)

    def write(self, frame: pd.DataFrame) -> None:
        """The next rows. RunError where the disk does not take them."""
        try:
            if self.parquet:
                self._spool(frame)
            else:
                self._append(frame)
        except OSError as error:
            raise self._refused(error) from error
        self.count += 1

    def finish(self, attrs: Mapping[Any, Any]) -> None:
        """All rows are there. attrs: what pandas will find under `attrs` of a Parquet file."""
        assert self._file is not None, "at least one block is written, if only of names"
        try:
            self._file.flush()
            if self.parquet:
                self._merge(attrs)
            with open(self.part, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(self.part, self.path)
        except OSError as error:
            raise self._refused(error) from error

    def _append(self, frame: pd.DataFrame) -> None:
        if self._file is None:
            self._file = open(self.part, "w", encoding="utf-8", newline="")  # noqa: SIM115
        lists = [c for c in frame if any(isinstance(x, list) for x in frame[c])]
        plain = frame.assign(**{str(c): frame[c].map(as_written) for c in lists})
        plain.to_csv(self._file, index=False, header=not self.count)

    def _spool(self, frame: pd.DataFrame) -> None:
        if self._file is None:
            self._file = open(self.blocks, "wb")  # noqa: SIM115
        plain = frame.copy(deep=False)
        plain.attrs = {}  # they are told at the end
        block = pa.Table.from_pandas(plain, preserve_index=False)
        with pa.ipc.new_stream(self._file, block.schema) as stream:
            stream.write_table(block)
        self.schemas.append(block.schema)

    def _merge(self, attrs: Mapping[str, Any]) -> None:
        known = {**(self.schemas[0].metadata or {}), ATTRS: json.dumps(dict(attrs)).encode()}
        plain = [schema.remove_metadata() for schema in self.schemas]
        schema = pa.unify_schemas(plain, promote_options="permissive").with_metadata(known)
        with pq.ParquetWriter(self.part, schema) as writer:
            for block in self._kept():
                writer.write_table(block.cast(schema), row_group_size=max(1, block.num_rows))

    def _kept(self) -> Iterator[pa.Table]:
        """The blocks that wait, in their order."""
        with pa.OSFile(str(self.blocks)) as file:
            for _ in range(self.count):
                with pa.ipc.open_stream(file) as stream:
                    yield stream.read_all()

    def _refused(self, error: OSError) -> RunError:
        return RunError(
            f"{self.path}: cannot be written ({error.strerror}); the older file is unharmed."
        )


def as_written(cell: Any) -> Any:
    """A list as JSON; whatever else stands among lists, such as an empty cell, as it is."""
    return json.dumps(cell) if isinstance(cell, list) else cell
