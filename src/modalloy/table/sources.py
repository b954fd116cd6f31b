"""Opens any kind of table - file, folder, database, frame - as Arrow batches."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from modalloy.errors import TableError
from modalloy.table.arrow_store import BATCH_BYTES, BATCH_ROWS, Batches, Stream, hold, plain_type
from modalloy.table.delimited import read_delimited
from modalloy.table.folders import beside_tables, list_tables, read_pictures
from modalloy.table.given_cells import CellsByColumn, CellsByRow, are_cells, read_cells
from modalloy.table.json_lines import read_json_lines
from modalloy.table.records import SQLITE, read_excel, read_frame, read_sqlite, sqlite_address

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = ".csv .csv.gz .tsv .parquet .pq .feather .arrow .ipc .xlsx .xlsm .jsonl .ndjson"
FRAME = "<frame>"  # the name of a table that was handed over in memory


class Opened(NamedTuple):
    """A source that was read: its rows, the folder that media paths start in, and its name.

    notes: sentences for the user about what was taken for what.
    """

    rows: Batches
    folder: Path
    name: str
    notes: tuple[str, ...] = ()


def open_source(
    source: "str | Path | pd.DataFrame | pa.Table | CellsByColumn | CellsByRow",
    sheet: str | None,
    spool_above_mb: float,
) -> Opened:
    """Read any source that `open_table` takes; see there. Raises TableError."""
    folder, name = Path(), FRAME
    try:
        if isinstance(source, str | Path):
            name = str(source)
            path, query = sqlite_address(name) if name.startswith(SQLITE) else (Path(source), None)
            folder = path if path.is_dir() else path.parent
            stream = (
                _file(path, sheet, spool_above_mb) if query is None else read_sqlite(path, query)
            )
        elif isinstance(source, pa.Table):
            stream = Stream(source.schema, source.to_batches(), 0)
        elif are_cells(source):
            stream = read_cells(source)
        elif hasattr(source, "iloc"):  # asked this way, pandas is not imported for other tables
            stream = read_frame(cast("pd.DataFrame", source))
        else:
            raise TableError(
                "a table is a path, a pandas frame, a pyarrow table or cells by column or row, not "
                f"{type(source).__name__}: {source!r:.60}"
            )
        _check_columns(stream.schema, name)
        rows = hold(stream, spool_above_mb)
    except (pa.ArrowException, sqlite3.Error, OSError) as fault:
        raise TableError(f"{name}: cannot be read: {_first_line(fault)}") from fault
    if rows.rows == 0:
        raise TableError(f"{name}: the table is empty: it has columns but no rows.")
    return Opened(rows, folder, name, stream.notes)


def _check_columns(schema: pa.Schema, name: str) -> None:
    """Refuse a table without columns and one that has a name twice."""
    if not schema.names:
        raise TableError(f"{name}: the table has no columns.")
    twice = sorted({c for c in schema.names if schema.names.count(c) > 1})
    if twice:
        raise TableError(
            f"{name}: {len(twice)} column names appear more than once: "
            f"{', '.join(map(repr, twice[:5]))}. Rename them, so that each name means one column."
        )


def _first_line(fault: Exception) -> str:
    return (str(fault).strip() or type(fault).__name__).splitlines()[0].rstrip(".") + "."


def _file(path: Path, sheet: str | None, spool_above_mb: float) -> Stream:
    """A file by its ending, or a folder by what lies in it."""
    if not path.exists():
        raise TableError(f"{path}: no such file or folder.")
    if path.is_dir():
        if tables := list_tables(path):
            return _parquet(tables, path)._replace(notes=beside_tables(path))
        return read_pictures(path)
    ending = "".join(path.suffixes[-2:]).lower()
    if ending != ".csv.gz":
        ending = path.suffix.lower()
    if sheet is not None and ending not in (".xlsx", ".xlsm"):
        raise TableError(f"{path}: 'sheet: {sheet}' was given, but only Excel files have sheets.")
    match ending:
        case ".csv" | ".csv.gz" | ".tsv":
            whole = path.stat().st_size <= spool_above_mb * 2**20
            return read_delimited(path, tab=ending == ".tsv", whole=whole)
        case ".parquet" | ".pq":
            return _parquet([path], path.parent)
        case ".feather" | ".arrow" | ".ipc":
            return _ipc(path)
        case ".xlsx" | ".xlsm":
            return read_excel(path, sheet)
        case ".jsonl" | ".ndjson":
            return read_json_lines(path)
        case _:
            raise TableError(
                f"{path}: the ending '{ending}' is not one that is read. A table is one of "
                f"{ENDINGS}, a folder of Parquet files, a folder of pictures, or "
                f"{SQLITE}file.db?query."
            )


# --- Arrow files -------------------------------------------------------------------------------


def _parquet(files: list[Path], root: Path) -> Stream:
    """One or many Parquet files; `key=value` folders between them become text columns."""
    schema, size = pa.schema([]), 0
    for file in files:
        try:
            meta = pq.read_metadata(file)
            found = _plain_schema(meta.schema.to_arrow_schema(), _keys(file, root))
        except (pa.ArrowException, OSError) as fault:
            raise TableError(
                f"{file}: not a whole Parquet file: {_first_line(fault)} Write or copy it again."
            ) from fault
        groups = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
        size += max(groups, file.stat().st_size)
        try:
            schema = pa.unify_schemas([schema, found], promote_options="permissive")
        except pa.ArrowException as fault:
            raise TableError(
                f"{file}: its columns do not fit the files before it: {_first_line(fault)}"
            ) from fault
    return Stream(schema, _parquet_batches(files, root), size)


def _plain_schema(schema: pa.Schema, keys: dict[str, str]) -> pa.Schema:
    fields = [pa.field(f.name, plain_type(f.type)) for f in schema]
    return pa.schema(fields + [pa.field(k, pa.string()) for k in keys])


def _keys(file: Path, root: Path) -> dict[str, str]:
    """The `key=value` folders on the way to a file."""
    parts = file.relative_to(root).parts[:-1]
    return {k: unquote(v) for k, _, v in (p.partition("=") for p in parts) if k and v}


def _parquet_batches(files: list[Path], root: Path) -> Iterator[pa.RecordBatch]:
    for file in files:
        keys = _keys(file, root)
        with pq.ParquetFile(file, pre_buffer=False) as parquet:
            meta = parquet.metadata
            groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
            row_bytes = max((g.total_byte_size / max(g.num_rows, 1) for g in groups), default=1)
            size = int(min(BATCH_ROWS, max(1, BATCH_BYTES / max(row_bytes, 1))))
            try:
                for batch in parquet.iter_batches(batch_size=size):
                    for key, value in keys.items():
                        column = pa.repeat(pa.scalar(value), batch.num_rows)
                        batch = batch.append_column(key, column)
                    yield batch
            except (pa.ArrowException, OSError) as fault:
                raise TableError(
                    f"{file}: the Parquet file is damaged: {_first_line(fault)} Write it again."
                ) from fault


def _ipc(path: Path) -> Stream:
    """Feather and Arrow IPC, the file form or the stream form."""
    source = pa.memory_map(str(path))
    try:
        reader = pa.ipc.open_file(source)
        batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
    except pa.ArrowInvalid:
        source.seek(0)
        reader = batches = pa.ipc.open_stream(source)
    return Stream(reader.schema, batches, path.stat().st_size)
