"""A CSV or TSV file in, typed record batches out; every row has a say in its columns' types."""

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv

from modalloy.errors import TableError
from modalloy.table.spool import Stream

BLOCK_BYTES = 4 << 20
NOT_UTF8 = (
    "holds letters that are not UTF-8 (an older Windows encoding?). Save the file as UTF-8, in "
    "Excel as 'CSV UTF-8'."
)
# A later cell may widen the type that the first block of a column suggested, along one of these.
LADDERS = (
    [pa.null(), pa.int64(), pa.float64(), pa.string()],
    [pa.null(), pa.date32(), pa.timestamp("s"), pa.timestamp("ns"), pa.string()],
)


def read_delimited(path: Path, *, tab: bool, whole: bool) -> Stream:
    """The rows of a CSV or TSV file in UTF-8, with its header.

    Types are pyarrow's, over all rows; with `whole` in one go, otherwise by a first pass over the
    file. `;` is understood as the separator where the header has more of them than commas, and then
    `1,5` as a number. Whole numbers with leading zeros (`0071`, looked for in the first 4 MB) stay
    text: they are codes. Raises TableError for rows of another length and for cells that are not
    UTF-8.
    """
    try:
        parse, convert = _settings(path, tab)
        if whole:
            table = csv.read_csv(path, _read(), parse, convert)
            stream = Stream(table.schema, table.to_batches(), path.stat().st_size)
        else:
            convert.column_types = _settle(path, parse, convert)
            reader = csv.open_csv(path, _read(), parse, convert)
            stream = Stream(reader.schema, _batches(path, reader), path.stat().st_size)
    except pa.ArrowInvalid as fault:
        raise _explained(path, fault) from fault
    except UnicodeDecodeError as fault:  # pyarrow decodes names when a schema is looked at
        raise TableError(f"{path}: the header {NOT_UTF8}") from fault
    _check_utf8(path, stream.schema)
    return stream


def _read() -> csv.ReadOptions:
    # One thread, because only then a fault names its row.
    return csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES)


def _batches(path: Path, reader: csv.CSVStreamingReader) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except pa.ArrowInvalid as fault:
        raise _explained(path, fault) from fault


def _settings(path: Path, tab: bool) -> tuple[csv.ParseOptions, csv.ConvertOptions]:
    """Separator, decimal sign and the columns that must stay text, from the file's first block."""
    with pa.input_stream(str(path), compression="detect") as file:
        header = file.read(1 << 16).split(b"\n", 1)[0]
    if header.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise TableError(f"{path}: the header {NOT_UTF8}")
    semicolon = not tab and header.count(b";") > header.count(b",")
    parse = csv.ParseOptions(
        delimiter="\t" if tab else ";" if semicolon else ",", newlines_in_values=True
    )
    guessed = csv.open_csv(path, _read(), parse).schema
    if len(set(guessed.names)) < len(guessed.names):
        return parse, csv.ConvertOptions()  # said by the caller, for every kind of file
    _check_utf8(path, guessed)
    as_text = csv.ConvertOptions(column_types=dict.fromkeys(guessed.names, pa.string()))
    first = csv.open_csv(path, _read(), parse, as_text)
    block = next(iter(first), None)
    if block is None:
        return parse, csv.ConvertOptions()
    text = [
        f.name
        for f in guessed
        if pa.types.is_integer(f.type) and _any(block.column(f.name), r"^[+-]?0[0-9]+$")
    ]
    comma = semicolon and any(
        _all(block.column(f.name), r"^\s*[+-]?[0-9]+,[0-9]+\s*$")
        for f in guessed
        if pa.types.is_string(f.type)
    )
    return parse, csv.ConvertOptions(
        column_types=dict.fromkeys(text, pa.string()), decimal_point="," if comma else "."
    )


def _any(cells: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(cells, pattern)).as_py())


def _all(cells: pa.Array, pattern: str) -> bool:
    filled = cells.filter(pc.not_equal(cells, ""))
    return len(filled) > 0 and bool(pc.all(pc.match_substring_regex(filled, pattern)).as_py())


def _settle(
    path: Path, parse: csv.ParseOptions, convert: csv.ConvertOptions
) -> dict[str, pa.DataType]:
    """One type a column that every row fits, found by reading the file batch by batch.

    A streaming reader fixes its types after one block; a cell that does not fit widens that
    column's type and the pass starts again.
    """
    while True:
        reader = csv.open_csv(path, _read(), parse, convert)
        types = {f.name: f.type for f in reader.schema}
        try:
            for _ in reader:
                pass
        except pa.ArrowInvalid as fault:
            found = re.search(r"In CSV column #(\d+).*invalid value '(.*)'", str(fault), re.DOTALL)
            if found is None:
                raise
            name = reader.schema.names[int(found[1])]
            convert.column_types = types | {name: _wider(types[name], found[2], convert)}
        else:
            return types


def _wider(held: pa.DataType, cell: str, convert: csv.ConvertOptions) -> pa.DataType:
    """The next type that holds both the rows so far and this cell."""
    quoted = '"' + cell.replace('"', '""') + '"'
    alone = csv.ConvertOptions(decimal_point=convert.decimal_point)
    seen = csv.read_csv(io.BytesIO(f"x\n{quoted}\n".encode()), convert_options=alone).schema[0].type
    for ladder in LADDERS:
        if held in ladder and seen in ladder and held != seen:
            return ladder[max(ladder.index(held), ladder.index(seen))]
    return seen if pa.types.is_null(held) else pa.string()


def _check_utf8(path: Path, schema: pa.Schema) -> None:
    """Refuse columns that pyarrow could only read as raw bytes."""
    for field in schema:
        if pa.types.is_binary(field.type):
            raise TableError(f"{path}: column '{field.name}' {NOT_UTF8}")


def _explained(path: Path, fault: Exception) -> TableError:
    """pyarrow's fault as a sentence that names the row."""
    text = str(fault)
    if found := re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+): (.*)", text, re.DOTALL):
        line, expected, got = (int(found[i]) for i in (1, 2, 3))
        return TableError(
            f"{path}: row {line - 2} (line {line} or a little below) has {got} cells where the "
            f"header has {expected} columns: {found[4][:80]!r}. Mend that row, or quote cells that "
            "hold the separator."
        )
    if found := re.search(r"Row #(\d+).*invalid UTF8", text):
        return TableError(f"{path}: row {int(found[1]) - 2} {NOT_UTF8}")
    if "mpty CSV" in text:
        return TableError(f"{path}: the file is empty: no header, no columns.")
    return TableError(f"{path}: cannot be read as a table of text: {text}")
