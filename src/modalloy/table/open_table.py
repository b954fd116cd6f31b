"""The door of a table: any source of rows - a file, a query, a frame - as an open `Table`."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from modalloy.table.given_cells import CellsByColumn, CellsByRow
from modalloy.table.sources import open_source
from modalloy.table.table import Table

if TYPE_CHECKING:
    import pandas as pd


def open_table(
    source: "str | Path | pd.DataFrame | pa.Table | CellsByColumn | CellsByRow | Table",
    *,
    sheet: str | None = None,
    spool_above_mb: float = 256,
    folder: Path | None = None,
    allow_outside: bool = False,
) -> Table:
    """Open a table: a file, a folder, a SQLite query, a pandas frame, a pyarrow table or cells.

    source: `.csv .csv.gz .tsv .parquet .feather .arrow .xlsx .jsonl`; a folder of Parquet files;
        a folder of pictures, whose class is their folder (columns image, label, and split where the
        outer folders are named train, val, test); `sqlite:///file.db?SELECT ...` (three slashes for
        a relative path, four for an absolute one; the query may be URL-encoded, or be a table's
        name); a list of cells for each column, or a list with one mapping a row; a table that is
        open already, which stays as it is.
    sheet: a sheet of an Excel file, the first one otherwise.
    spool_above_mb: larger sources (for Parquet: uncompressed) are laid out once in a temporary
        folder, in `TMPDIR`, and mapped from there, so that memory stays bounded.
    folder: where relative paths of media start; the file's own folder otherwise.
    Raises TableError when there is no such file, no column, no row, a column name twice, a broken
    file, a row of another length, or a query that fails.
    """
    if isinstance(source, Table):
        return source
    opened = open_source(source, sheet, spool_above_mb)
    return Table(
        opened.rows,
        opened.name,
        folder or opened.folder,
        sheet=sheet,
        allow_outside=allow_outside,
        notes=opened.notes,
    )
