"""Cells of a CSV or TSV file as they are written: text, whatever stands beside them."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv

from modalloy.cells.values import blank_to_null
from modalloy.errors import TableError
from modalloy.table.arrow_store import Stream
from modalloy.table.dialect import NOT_UTF8, Dialect, read_dialect

BLOCK_BYTES = 4 << 20


def read_delimited(path: Path, *, tab: bool, whole: bool) -> Stream:
    """The rows of a CSV or TSV file, every cell as text; what they mean is for the job to say.

    Rows without a single cell keep their place; at the end of the file they are left out. whole: in
    one go, otherwise batch by batch. How the file is written (separator, heading, UTF-16, GB18030)
    is seen by `read_dialect`. Raises TableError for rows of another length and for cells that are
    not UTF-8.
    """
    dialect = read_dialect(path, tab=tab)
    names = [n or f"column_{i + 1}" for i, n in enumerate(dialect.names)]
    if len(set(names)) < len(names):  # the caller says so, for every kind of file
        schema = pa.schema([pa.field(n, pa.string()) for n in names])
        return Stream(schema, [], path.stat().st_size)
    options = _options(path, dialect, names)
    try:
        if whole:
            batches: Iterator[pa.RecordBatch] = iter(csv.read_csv(path, *options).to_batches())
        else:
            batches = _streamed(path, csv.open_csv(path, *options), dialect)
    except UnicodeDecodeError as fault:
        raise _undecodable(path, dialect.encoding) from fault
    except pa.ArrowInvalid as fault:
        if "mpty CSV" not in str(fault):
            raise _explained(path, fault, dialect.lines) from fault
        batches = iter(())
    schema = pa.schema([pa.field(n, pa.string()) for n in names])
    return Stream(schema, _without_blank_end(batches), path.stat().st_size, dialect.notes)


def _options(
    path: Path, dialect: Dialect, names: list[str]
) -> tuple[csv.ReadOptions, csv.ParseOptions, csv.ConvertOptions]:
    def blank(row: csv.InvalidRow) -> str:
        """A line of blanks ends a file now and then; anything else is an error."""
        return "error" if row.text.strip() else "skip"

    read = csv.ReadOptions(
        use_threads=False,  # because only then a fault names its row
        block_size=BLOCK_BYTES,
        skip_rows=dialect.lines,
        column_names=names,
        encoding=dialect.encoding,
    )
    parse = csv.ParseOptions(
        delimiter=dialect.separator,
        newlines_in_values=True,
        ignore_empty_lines=False,  # a row without a cell keeps its number
        invalid_row_handler=blank,
    )
    return read, parse, csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))


def _streamed(
    path: Path, reader: csv.CSVStreamingReader, dialect: Dialect
) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except UnicodeDecodeError as fault:
        raise _undecodable(path, dialect.encoding) from fault
    except pa.ArrowInvalid as fault:
        raise _explained(path, fault, dialect.lines) from fault


def _without_blank_end(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches up to the last row that has a cell; blank rows before it keep their place."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        end = _filled_rows(batch)
        if end:
            yield from held
            held = []
            yield batch.slice(0, end)
        if end < batch.num_rows:
            held.append(batch.slice(end))


def _filled_rows(batch: pa.RecordBatch) -> int:
    """Rows up to the last one that has a cell."""
    end = 0
    for column in batch.columns:
        if batch.num_rows == end:
            break
        filled = blank_to_null(column.slice(end)).is_valid().to_numpy(zero_copy_only=False)
        if filled.any():
            end = batch.num_rows - int(filled[::-1].argmax())
    return end


def _undecodable(path: Path, encoding: str) -> TableError:
    """Why a file that began in another encoding than UTF-8 cannot be read to its end."""
    return TableError(
        f"{path}: begins in {encoding.upper()}, but holds bytes further down that are no letters "
        "in it (a text that was cut in the middle of a letter?). Mend them, or save the file as "
        "UTF-8, in Excel as 'CSV UTF-8'."
    )


def _explained(path: Path, fault: Exception, above: int) -> TableError:
    """pyarrow's fault as a sentence that names the row; `above` lines stand above the first."""
    text = str(fault)
    if found := re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+): (.*)", text, re.DOTALL):
        line, expected, got = (int(found[i]) for i in (1, 2, 3))
        advice = "or quote cells that hold the separator"
        if '\\"' in found[4]:
            advice = 'or write quotes doubled ("") inside a quoted cell, not as \\"'
        return TableError(
            f"{path}: row {line - above - 1} (line {line} or a little below) has {got} cells where "
            f"the header has {expected} columns: {found[4][:80]!r}. Mend that row, {advice}."
        )
    if found := re.search(r"Row #(\d+).*invalid UTF8", text):
        return TableError(f"{path}: row {int(found[1]) - above - 1} {NOT_UTF8}")
    if found := re.search(r"column '(.*)'.*invalid UTF8|invalid UTF8", text):
        return TableError(f"{path}: column '{found[1] or '?'}' {NOT_UTF8}")
    return TableError(f"{path}: cannot be read as a table of text: {text}")
