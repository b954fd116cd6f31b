"""How large a Parquet file becomes once it is unpacked, told from little of it: a few kilobytes can
hold a cell of gigabytes, or the same cell a million times."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from modalloy.errors import RequestError
from modalloy.serving.limits import Limits

WIDTH = 8  # bytes of a number
AT_ONCE = 65536  # rows


def check_unpacked(place: Path, limits: Limits) -> None:
    """RequestError for a file that is broken, and (413) for one of too many rows or that unpacks to
    more than an upload may hold.
    """
    try:
        look_into(place, limits)
    except (pa.ArrowException, OSError) as error:
        why = str(error).replace(str(place), "the table")
        raise RequestError(f"the table: cannot be read as Parquet ({why:.160}).") from error


def look_into(place: Path, limits: Limits) -> None:
    """The same; other errors as the reader raises them."""
    with pq.ParquetFile(place) as file:
        about, schema = file.metadata, file.schema
        refuse_rows(about.num_rows, limits)
        chunks = [
            (about.row_group(g).column(c), schema.column(c))
            for g in range(about.num_row_groups)
            for c in range(about.num_columns)
        ]
        size = sum(max(c.num_values * WIDTH, c.total_uncompressed_size) for c, _ in chunks)
        refuse_size(size, limits)
        names = list(dict.fromkeys(s.path for _, s in chunks if s.physical_type == "BYTE_ARRAY"))
    if names:
        refuse_size(bytes_of(place, names), limits)


def bytes_of(place: Path, names: list[str]) -> int:
    """Bytes of texts and files, counted without laying out one that stands there many times."""
    size = 0
    with pq.ParquetFile(place, read_dictionary=names) as file:
        for batch in file.iter_batches(AT_ONCE, columns=names):
            size += sum(map(held, batch.columns))
    return size


def held(cells: Any) -> int:
    """Bytes of a column's cells."""
    if isinstance(cells, pa.DictionaryArray):
        used = cells.indices.drop_null().to_numpy(zero_copy_only=False)
        lengths = pc.binary_length(cells.dictionary).fill_null(0).to_numpy(zero_copy_only=False)
        return int(lengths.astype(np.int64)[used].sum())
    if pa.types.is_struct(cells.type):
        return sum(map(held, cells.flatten()))
    if pa.types.is_list(cells.type) or pa.types.is_large_list(cells.type):
        return held(cells.flatten())
    return cells.nbytes


def refuse_rows(rows: int, limits: Limits) -> None:
    """RequestError (413) for a table of too many rows."""
    if rows > limits.upload_rows:
        most = limits.upload_rows
        raise RequestError(f"the table has {rows} rows, more than {most}; send it in parts.", 413)


def refuse_size(size: int, limits: Limits) -> None:
    """RequestError (413) for a table that takes too much memory."""
    if size > limits.upload_bytes:
        told = f"the table unpacks to {size >> 20} MB, more than {limits.upload_mb:g}"
        raise RequestError(f"{told}; send it in parts.", 413)
