"""Arrow arrays as Python values and numpy arrays."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# A column whose cells are of several types keeps each as it is; one field of each cell is filled.
MIXED = pa.struct(
    [
        ("text", pa.string()),
        ("number", pa.float64()),
        ("truth", pa.bool_()),
        ("moment", pa.timestamp("us")),
    ]
)
# A column of files, some given as bytes and some by their paths.
FILES = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
EXACT = 2**53  # whole numbers beyond it are no float64


def to_python(array: pa.Array) -> list[Any]:
    """Python values; None for blank text, numpy arrays for lists of numbers, float32 as numpy's."""
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return blank_to_null(array).to_pylist()
    if kind.equals(MIXED):
        return [None if c is None else _only(c) for c in array.to_pylist()]
    if pa.types.is_float32(kind):  # 1.1 of 32 bits is written 1.1 and not 1.10000002
        nothing = array.is_null().to_numpy(zero_copy_only=False)
        cells = array.to_numpy(zero_copy_only=False)
        return [None if n else c for n, c in zip(nothing, cells, strict=True)]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = kind.value_type
        if pa.types.is_integer(inner) or pa.types.is_floating(inner):
            return _number_lists(array)
    if holds_files(kind):
        return [_file(c) for c in array.to_pylist()]
    return array.to_pylist()


def holds_files(kind: pa.DataType) -> bool:
    """Whether cells are files as Hugging Face's data sets write them: their bytes, else a path."""
    return pa.types.is_struct(kind) and {f.name for f in kind} == {"bytes", "path"}


def to_mixed(cells: Sequence[Any]) -> pa.Array:
    """Cells of several types as a MIXED column; lists and anything else as text."""
    return pa.array([None if _nothing(c) else _field(c) for c in cells], MIXED)


def to_text(array: pa.Array, decimal: str = ".") -> pa.Array:
    """The cells of a text or mixed column as they are written; numbers with this decimal sign."""
    if array.type.equals(MIXED):
        return pa.array([_with_sign(c, decimal) for c in to_python(array)], pa.string())
    return array.cast(pa.string())


def texts_of(array: pa.Array) -> pa.Array:
    """The cells of a text or mixed column that are text; the others are nothing."""
    return array.field("text") if array.type.equals(MIXED) else array.cast(pa.string())


def _with_sign(cell: Any, decimal: str) -> str | None:
    text = spelled(cell)
    number = isinstance(cell, float) and text is not None
    return text.replace(".", decimal) if number else text


def spelled(cell: Any) -> str | None:
    """How a cell is written, None where it holds nothing.

    Text without its margins; whole numbers without a fraction (3.0 is 3), others by the fewest
    digits that tell them apart; True and False; a midnight as its day, a clock time as 08:30. Raw
    bytes, as a database may hold, as the text that they are, or as hexadecimal digits.
    """
    if _nothing(cell):
        return None
    if isinstance(cell, bytes | bytearray):
        return _decoded(bytes(cell))
    if isinstance(cell, np.floating):
        return str(int(cell)) if float(cell).is_integer() else str(cell)
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime):
        cell = cell.replace(tzinfo=None)
        return str(cell.date() if cell.time() == time() else cell)
    if isinstance(cell, time):
        return cell.isoformat("auto" if cell.second or cell.microsecond else "minutes")
    return str(cell).strip()


def _decoded(raw: bytes) -> str | None:
    try:
        return raw.decode().strip() or None
    except UnicodeDecodeError:
        return raw.hex()


def blank_to_null(array: pa.Array) -> pa.Array:
    """The array with None for empty and blank texts."""
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return array
    blank = pc.equal(pc.utf8_trim_whitespace(array), "")
    return pc.if_else(blank, pa.scalar(None, array.type), array)


def to_seconds(array: pa.Array) -> np.ndarray:
    """Seconds since 1970 of dates and times without a zone, float64, NaN where there is none."""
    ticks = array.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
    return ticks.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False) / 1e6


def _only(cell: dict[str, Any]) -> Any:
    """The one value of a mixed cell."""
    found = next((v for v in cell.values() if v is not None), None)
    return None if isinstance(found, str) and not found.strip() else found


def _file(cell: dict[str, Any] | None) -> bytes | str | None:
    """The bytes of a file, or its path where there are none."""
    if cell is None:
        return None
    return cell["path"] if cell["bytes"] is None else cell["bytes"]


def _nothing(cell: Any) -> bool:
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return True
    if isinstance(cell, Decimal):
        return cell.is_nan()
    return (isinstance(cell, float | np.floating) and cell != cell) or type(cell).__name__ in (
        "NaTType",
        "NAType",
    )


def _field(cell: Any) -> dict[str, Any]:
    """One cell of a mixed column."""
    if isinstance(cell, np.floating):
        return {"number": float(str(cell))}  # 1.1 of 32 bits is 1.1
    if isinstance(cell, np.datetime64):
        cell = cell.astype("datetime64[us]")
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, timedelta):
        return {"number": cell.total_seconds()}
    if isinstance(cell, time):
        return {"text": spelled(cell)}
    if isinstance(cell, bool):
        return {"truth": cell}
    if isinstance(cell, int | float | Decimal) and abs(cell) <= EXACT:
        return {"number": float(cell)}
    if isinstance(cell, datetime):
        return {"moment": cell.replace(tzinfo=None)}
    if isinstance(cell, date):
        return {"moment": datetime(cell.year, cell.month, cell.day)}
    return {"text": cell if isinstance(cell, str) else spelled(cell)}


def _number_lists(array: pa.Array) -> list[np.ndarray | None]:
    values = array.values.to_numpy(zero_copy_only=False)
    ends = array.offsets.to_numpy()
    some = array.is_valid().to_numpy(zero_copy_only=False)
    return [
        values[a:b] if valid else None
        for a, b, valid in zip(ends[:-1], ends[1:], some, strict=True)
    ]
