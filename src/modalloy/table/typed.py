"""What a column of written cells looks like when all of them are looked at: numbers, times, text.

Only `init` and `check` judge columns this way. What a cell means is decided by the job's type of
its column, cell by cell, whatever stands beside it.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from modalloy.cells.numbers import to_number
from modalloy.cells.values import blank_to_null, to_text

# Words that say nothing in a column whose other cells are all numbers, or all times.
NOTHING = pa.array(
    ["#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "N/A",
     "NA", "NULL", "NaN", "n/a", "nan", "null"]
)  # fmt: skip
FIRST = 50  # cells that are looked at before all of them
PADDED = r"^[+-]?0[0-9]"  # 0071
CODE = r"^[+-]?(0[0-9]|[0-9]{19,}$)|[a-zA-Z]{4}"  # or beyond 64 bits; no number has many letters
COMMA = r"^[+-]?(0|[1-9][0-9]*|[1-9][0-9]{0,2}(\.[0-9]{3})+)(,[0-9]+)?([eE][+-]?[0-9]+)?$"
CLOCK = r"^[0-2][0-9]:[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?$"
TRUTH = r"^(true|false|True|False|TRUE|FALSE)$"
DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
MOMENT = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2})([T ]([0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?))?"
    r" ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?$"
)


def looks_like(cells: Sequence[pa.Array], decimal: str) -> pa.DataType:
    """The type that fits every filled cell of a text column: int64, float64, bool, date32,
    timestamp or string.

    Whole numbers with leading zeros (`0071`) or of more than 64 bits are codes: text.
    """
    texts = pa.chunked_array(list(cells))
    head = _filled(pa.chunked_array([c.slice(0, 4 * FIRST) for c in texts.chunks[:1]]), decimal)
    kinds = [k for k in _TYPES if _fits(head.slice(0, FIRST), k, decimal)] if len(head) else _TYPES
    if not kinds:
        return pa.string()
    filled = _filled(texts, decimal)
    if not len(filled):
        return pa.string()
    return next((_TYPES[k] for k in kinds if _fits(filled, k, decimal)), pa.string())


def typed(array: pa.Array, kind: pa.DataType, decimal: str) -> pa.Array:
    """Cells of a text column as the type that `looks_like` gave it; nothing stays nothing."""
    texts = _without_nothing(array, decimal)
    if pa.types.is_integer(kind):
        return _bare(texts, decimal).cast(kind)
    if pa.types.is_floating(kind):
        try:
            return _bare(texts, decimal).cast(kind)
        except pa.ArrowInvalid:  # clock times among them
            numbers = [to_number(c, decimal) for c in texts.to_pylist()]
            return pa.array([None if n != n else n for n in numbers], kind)
    if pa.types.is_boolean(kind):
        return pc.utf8_lower(texts).cast(kind)
    if pa.types.is_date(kind):
        return texts.cast(kind)
    if pa.types.is_timestamp(kind):
        return _clock(texts).cast(kind)
    return blank_to_null(to_text(array))


def _fits(filled: pa.ChunkedArray, kind: str, decimal: str) -> bool:
    """Whether all cells are of a kind: numbers by what Arrow reads, others by how they are written.

    2024-02-31 has the form of a day and is none.
    """
    if kind == "whole":
        return not _any(filled, PADDED) and _casts(filled, pa.int64())
    if kind == "number" and decimal == ".":
        return not _any(filled, CODE) and _casts(filled, pa.float64())
    if not bool(pc.all(pc.match_substring_regex(filled, _form(kind))).as_py()):
        return False
    return kind not in ("day", "moment") or _casts(_clock(filled), pa.timestamp("us"))


def _any(filled: pa.ChunkedArray, form: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(filled, form)).as_py())


def _casts(filled: pa.ChunkedArray, kind: pa.DataType) -> bool:
    try:
        pc.replace_substring_regex(filled, r"^\+", "").cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


def _form(kind: str) -> str:
    """The regular expression of a kind of cell."""
    match kind:
        case "number":
            return COMMA
        case "clock":
            return CLOCK
        case "truth":
            return TRUTH
        case "day":
            return DAY
        case _:
            return MOMENT


_TYPES: dict[str, pa.DataType] = {
    "whole": pa.int64(),
    "number": pa.float64(),
    "clock": pa.float64(),
    "truth": pa.bool_(),
    "day": pa.date32(),
    "moment": pa.timestamp("us"),
}


def _without_nothing(array: pa.Array, decimal: str) -> pa.Array:
    texts = pc.utf8_trim_whitespace(to_text(array, decimal))
    nothing = pc.or_(pc.equal(texts, ""), pc.is_in(texts, NOTHING))
    return pc.if_else(nothing, pa.scalar(None, texts.type), texts)


def _filled(texts: pa.ChunkedArray, decimal: str) -> pa.ChunkedArray:
    found = [_without_nothing(c, decimal).drop_null() for c in texts.chunks]
    return pa.chunked_array(found, pa.string())


def _bare(texts: pa.Array, decimal: str) -> pa.Array:
    """Numbers as Arrow reads them: no plus, a point before the fraction, no thousands."""
    if decimal == ",":
        texts = pc.replace_substring(pc.replace_substring(texts, ".", ""), ",", ".")
    return pc.replace_substring_regex(texts, r"^\+", "")


def _clock(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Times without their zone: the clock that is written counts, and not the one in Greenwich."""
    bare = pc.replace_substring_regex(texts, MOMENT, r"\1 \3")
    bare = pc.replace_substring_regex(bare, r" ([0-9]{2}:[0-9]{2})$", r" \1:00")
    bare = pc.replace_substring_regex(bare, r" $", "")
    return pc.replace_substring_regex(bare, r"(\.[0-9]{6})[0-9]+$", r"\1")
