"""Tables whose cells have types of their own: frames, Excel sheets, SQLite queries."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa

from modalloy.cells.missing_markers import EXCEL_FAULTS
from modalloy.cells.values import FILES, MIXED, to_mixed
from modalloy.errors import TableError
from modalloy.table.arrow_store import Stream
from modalloy.table.dialect import ROWS, heading_row, units_row

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
        array = of_objects(column.tolist()) if column.dtype == object else _of_series(column)
        arrays.append(array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array]))
    table = pa.Table.from_arrays(arrays, names=[str(c) for c in frame.columns])
    return Stream(table.schema, table.to_batches(), 0)


def typed(cells: list[Any]) -> pa.Array:
    """Cells as one column: of one type where all are of one, lists, else each as it is (MIXED)."""
    kinds = {_kind(c) for c in cells} - {None}
    if "bytes" in kinds and kinds <= {"bytes", "text"}:
        return _files(cells)
    if len(kinds) > 1 and "list" not in kinds:
        return to_mixed(cells)
    if kinds == {"moment"}:
        cells = _clocks(cells)
    for some in (cells, [c.tolist() if hasattr(c, "tolist") else c for c in cells]):
        try:
            return pa.array(some, from_pandas=True)
        except UNFIT:
            continue
    return to_mixed(cells)


def _files(cells: list[Any]) -> pa.Array:
    """Media files as their bytes, or by their paths."""
    return pa.array(
        [
            None if kind is None else {"path": c} if kind == "text" else {"bytes": bytes(c)}
            for c, kind in zip(cells, map(_kind, cells), strict=True)
        ],
        FILES,
    )


def _clocks(cells: list[Any]) -> list[Any]:
    """Times as the clock that is written, whatever its zone; days among them are midnights."""
    plain = [
        c.astype("datetime64[us]").item() if isinstance(c, np.datetime64) else c for c in cells
    ]
    if not any(isinstance(c, datetime) for c in plain):
        return plain
    return [
        c.replace(tzinfo=None)
        if isinstance(c, datetime) and c == c
        else datetime(c.year, c.month, c.day)
        if isinstance(c, date) and c == c
        else None
        for c in plain
    ]


def _of_series(column: "pd.Series") -> pa.Array | pa.ChunkedArray:
    if column.dtype.name.startswith("period"):  # Arrow would count them as whole numbers
        column = column.dt.start_time
    try:
        return pa.Array.from_pandas(column)
    except UNFIT:
        return typed(column.tolist())


def of_objects(cells: list[Any]) -> pa.Array:
    """A column of Python objects: text, numbers with gaps, lists or anything among them."""
    return typed([None if type(c).__name__ in ("NaTType", "NAType") else c for c in cells])


def _kind(cell: Any) -> str | None:
    """What sort of cell this is; None for nothing. Whole numbers and fractions are one sort."""
    if cell is None or (isinstance(cell, float) and cell != cell):
        return None
    if isinstance(cell, str):
        return "text" if cell.strip() else None
    if isinstance(cell, bool | np.bool_):
        return "truth"
    if isinstance(cell, int | float | np.number | Decimal):
        return "number"
    if isinstance(cell, date | np.datetime64):
        return "moment"
    if isinstance(cell, bytes | bytearray | memoryview):
        return "bytes"
    return "list" if hasattr(cell, "__len__") else "other"


# --- Excel -------------------------------------------------------------------------------------


def read_excel(path: Path, sheet: str | None) -> Stream:
    """The first or the named sheet: names in its heading, formulas as their stored results.

    Excel's own error cells (`#N/A`, `#DIV/0!`) are missing. A column may mix numbers and words. A
    sheet has at most 1 048 576 rows, so it is read into memory. Raises TableError.
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
    return _of_sheet(path, sheet or names[0], rows)


def _of_sheet(path: Path, sheet: str, rows: list[list[Any]]) -> Stream:
    """The heading and the cells below it; titles above it and units below it are left out."""
    filled = [i for i, r in enumerate(rows) if any(c is not None for c in r)]
    rows = rows[filled[0] : filled[-1] + 1] if filled else []
    if not rows:
        raise TableError(f"{path}: sheet '{sheet}' is empty.")
    width = max(len(r) for r in rows)
    rows = [r + [None] * (width - len(r)) for r in rows]
    words = [["" if c is None else str(c) for c in r] for r in rows[: ROWS + 1]]
    at, notes = heading_row(words), []
    if at:
        above = [" ".join(filter(None, w)) for w in words[:at]]
        what = "row" if at == 1 else "rows"
        notes.append(f"{at} {what} above the heading left out: {above[0]!r:.60}")
    below = at + 1
    if words[below:] and units_row(words[below:], width):
        notes.append(
            f"a row of units below the heading is left out: {' '.join(words[below])!r:.60}"
        )
        below += 1
    columns = list(zip(*rows[below:], strict=True)) or [()] * width
    cells = [[None if c in EXCEL_FAULTS else c for c in column] for column in columns]
    kept = [
        i for i, c in enumerate(rows[at]) if c is not None or any(v is not None for v in cells[i])
    ]
    titles = [str(rows[at][i]) if rows[at][i] is not None else f"column_{i + 1}" for i in kept]
    table = pa.Table.from_arrays([typed(cells[i]) for i in kept], names=titles)
    return Stream(table.schema, table.to_batches(), 0, tuple(notes))


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

    The file is opened read-only. A column is whole numbers, numbers or text where all its cells
    are, else each cell is as it is stored. Raises TableError for a query that SQLite refuses.
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
            out.append(MIXED if integer or real or blob else pa.string())
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
    if kind.equals(MIXED):
        return to_mixed(cells)
    if pa.types.is_floating(kind):  # whole numbers beyond 2**53 among fractions
        return pa.array([None if c is None else float(c) for c in cells], kind)
    return pa.array(cells, kind)
