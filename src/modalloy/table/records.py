"""A frame, an Excel sheet or a SQLite query in - cells of any type - and typed columns out."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from zipfile import BadZipFile

import pyarrow as pa

from modalloy.errors import TableError
from modalloy.table.marks import EXCEL_FAULTS
from modalloy.table.spool import Stream

if TYPE_CHECKING:
    import pandas as pd

# What pyarrow raises for cells of several types, or a whole number of more than 64 bits.
UNFIT = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError)
SQLITE = "sqlite:///"
SQLITE_ROWS = 8192  # rows fetched at a time


def read_frame(frame: "pd.DataFrame") -> Stream:
    """A pandas frame without its index; column names become text."""
    arrays = []
    for i in range(frame.shape[1]):
        column = frame.iloc[:, i]
        try:
            array = pa.Array.from_pandas(column)
        except UNFIT:
            array = typed(column.tolist())
        arrays.append(array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array]))
    table = pa.Table.from_arrays(arrays, names=[str(c) for c in frame.columns])
    return Stream(table.schema, table.to_batches(), 0)


def typed(cells: list[Any]) -> pa.Array:
    """Cells of mixed types as one column: numbers, times or lists if all are, otherwise text."""
    try:
        return pa.array(cells, from_pandas=True)
    except UNFIT:
        lists = [c.tolist() if hasattr(c, "tolist") else c for c in cells]
    try:
        return pa.array(lists, from_pandas=True)
    except UNFIT:
        return pa.array([None if c is None or c != c else str(c) for c in lists], pa.string())


# --- Excel -------------------------------------------------------------------------------------


def read_excel(path: Path, sheet: str | None) -> Stream:
    """The first or the named sheet: names in its first row, formulas as their stored results.

    Excel's own error cells (`#N/A`, `#DIV/0!`) are missing. A column that mixes numbers and words
    is text. A sheet has at most 1 048 576 rows, so it is read into memory. Raises TableError.
    """
    import openpyxl  # a tenth of a second that other tables need not pay
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, BadZipFile, KeyError, ValueError, SyntaxError) as fault:
        raise TableError(f"{path}: not a whole Excel file: {fault}") from fault
    with closing(book):
        names = [page.title for page in book.worksheets]
        if sheet is not None and sheet not in names:
            near = get_close_matches(sheet, names, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise TableError(f"{path}: no sheet '{sheet}'; it has {', '.join(names)}.{hint}")
        page = book[sheet or names[0]]
        page.reset_dimensions()  # some programs write a wrong size into the file
        rows = [list(row) for row in page.iter_rows(values_only=True)]
    filled = [r for r in rows if any(c is not None for c in r)]
    if not filled:
        raise TableError(f"{path}: sheet '{sheet or names[0]}' is empty.")
    header = filled[0]
    cells = [[None if c in EXCEL_FAULTS else c for c in column] for column in _columns(filled)]
    kept = [
        i for i, c in enumerate(header) if c is not None or any(v is not None for v in cells[i])
    ]
    titles = [str(header[i]) if header[i] is not None else f"column_{i + 1}" for i in kept]
    table = pa.Table.from_arrays([typed(cells[i]) for i in kept], names=titles)
    return Stream(table.schema, table.to_batches(), 0)


def _columns(rows: list[list[Any]]) -> list[list[Any]]:
    """Cells below the header, column by column; short rows end in empty cells."""
    width = max(len(r) for r in rows)
    return [[r[i] if i < len(r) else None for r in rows[1:]] for i in range(width)]


# --- SQLite ------------------------------------------------------------------------------------


def sqlite_address(source: str) -> tuple[Path, str]:
    """File and query of `sqlite:///file.db?SELECT ...`; the query may be URL-encoded."""
    place, _, query = source.removeprefix(SQLITE).partition("?")
    path = Path(unquote(place))
    if not path.is_file():
        raise TableError(f"{source}: no such file: {path}.")
    return path, unquote(query).strip().rstrip(";")


def read_sqlite(path: Path, query: str) -> Stream:
    """Rows of one SELECT, of a table named instead of a query, or of a database's only table.

    The file is opened read-only. A column is whole numbers, numbers or text by what its cells hold,
    over all rows. Raises TableError for a query that SQLite refuses.
    """
    with closing(_connect(path)) as base:
        query = _select(base, path, query)
        try:
            cursor = base.execute(f"SELECT * FROM ({query}) LIMIT 0")
            names = [c[0] for c in base.execute(query).description]
            inner = [c[0] for c in cursor.description]
            types = _types(base, query, inner)
        except sqlite3.Error as fault:
            raise TableError(
                f"{path}: SQLite refuses the query: {fault}. It was: {query}"
            ) from fault
    schema = pa.schema(list(zip(names, types, strict=True)))
    return Stream(schema, _sqlite_batches(path, query, schema), path.stat().st_size)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False)


def _select(base: sqlite3.Connection, path: Path, query: str) -> str:
    """The query, or one that reads the table that was named instead."""
    try:
        found = base.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        tables = [name for (name,) in found]
    except sqlite3.DatabaseError as fault:
        raise TableError(f"{path}: not a SQLite database: {fault}.") from fault
    if not query and len(tables) == 1:
        query = tables[0]
    if query in tables:
        quoted = query.replace('"', '""')
        return f'SELECT * FROM "{quoted}"'
    if not query or query.isidentifier():
        wanted = f"no table '{query}'" if query else "say which table"
        raise TableError(
            f"{path}: {wanted}; it has {', '.join(tables) or 'none'}. Write "
            f"{SQLITE}{path}?NAME or {SQLITE}{path}?SELECT ..."
        )
    return query


def _types(base: sqlite3.Connection, query: str, names: list[str]) -> list[pa.DataType]:
    """One Arrow type a column, from the types of all its cells: SQLite types cells, not columns."""
    kinds = ("integer", "real", "text", "blob")
    quoted = ['"' + n.replace('"', '""') + '"' for n in names]
    asked = ", ".join(f"max(typeof({n}) = '{k}')" for n in quoted for k in kinds)
    found = base.execute(f"SELECT {asked} FROM ({query})").fetchone()
    out = []
    for i in range(len(names)):
        integer, real, text, blob = found[4 * i : 4 * i + 4]
        if blob and not text:
            out.append(pa.binary())
        elif text or blob:
            out.append(pa.string())
        else:
            out.append(pa.float64() if real else pa.int64() if integer else pa.string())
    return out


def _sqlite_batches(path: Path, query: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with closing(_connect(path)) as base:
        cursor = base.execute(query)
        while rows := cursor.fetchmany(SQLITE_ROWS):
            columns = zip(*rows, strict=True)
            arrays = [_cast(c, f.type) for c, f in zip(columns, schema, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _cast(cells: tuple[Any, ...], kind: pa.DataType) -> pa.Array:
    if pa.types.is_string(kind):
        return pa.array([c if c is None else str(c) for c in cells], kind)
    return pa.array(cells, kind)
