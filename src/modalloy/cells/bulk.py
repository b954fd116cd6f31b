"""Reading whole columns at once, each cell as it would be read alone."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modalloy.cells.moments import Form, date_form, to_moment
from modalloy.cells.numbers import to_number
from modalloy.cells.values import MIXED, spelled, to_python, to_seconds, to_text

OrderForm = Form | Literal["number"]
# Texts that Arrow and Python read alike, so that millions of them need no look at each.
POINT = r"^[+-]?[0-9]{1,15}(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?$"
COMMA = r"^[+-]?[0-9]{1,15}(,[0-9]*)?$"
MOMENT = r"^[12][0-9]{3}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?$"


class Column(NamedTuple):
    """Cells of one column as float64 (N,), NaN where there is nothing, and which say no number."""

    x_N: np.ndarray
    bad_N: np.ndarray


def read_numbers(arrays: Sequence[pa.Array], decimal: str) -> Column:
    """What `to_number` says of each cell; bad is a text, a list or a date."""
    return _join([_numbers(a, decimal) for a in arrays])


def read_order(
    arrays: Sequence[pa.Array], form: OrderForm | None, decimal: str
) -> tuple[OrderForm, Column]:
    """What sorts rows: numbers, or seconds since 1970 of dates as `to_moment` reads them.

    form: which of both, as training found it. None finds it: numbers where all cells are, else
    dates in the form that all cells together tell, unless more cells are numbers.
    """
    if form is None and pa.types.is_temporal(arrays[0].type):
        form = "iso"
    if form is not None and form != "number":
        return form, _join([_moments(a, form) for a in arrays])
    numbers = read_numbers(arrays, decimal)
    if form == "number" or not numbers.bad_N.any():
        return "number", numbers
    dated = date_form(c for a in arrays for c in to_python(a))
    moments = _join([_moments(a, dated) for a in arrays])
    if numbers.bad_N.sum() < moments.bad_N.sum():
        return "number", numbers
    return dated, moments


def read_names(arrays: Sequence[pa.Array]) -> np.ndarray:
    """For each cell the number of its written name, -1 where it is blank, (N,) int64."""
    if arrays[0].type.equals(MIXED) or pa.types.is_null(arrays[0].type):
        arrays = [to_text(a) for a in arrays]
    coded = pa.chunked_array(arrays).dictionary_encode().unify_dictionaries()
    known: dict[str, int] = {}
    names = [spelled(c) for c in to_python(coded.chunk(0).dictionary)]
    codes = [-1 if n is None else known.setdefault(n, len(known)) for n in names]
    code_of = np.array([*codes, -1], dtype=np.int64)  # the last is that of null
    indices = [c.indices.fill_null(-1).to_numpy(zero_copy_only=False) for c in coded.chunks]
    return code_of[np.concatenate(indices)]


def _numbers(array: pa.Array, decimal: str) -> Column:
    kind = array.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return _all_good(array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))

    def cast(texts: pa.Array) -> np.ndarray:
        bare = pc.replace_substring_regex(texts, r"^\+", "")
        points = pc.replace_substring(bare, ",", ".") if decimal == "," else bare
        return points.cast(pa.float64()).to_numpy(zero_copy_only=False)

    form = COMMA if decimal == "," else POINT
    return _read(array, form, cast, lambda cell: to_number(cell, decimal))


def _moments(array: pa.Array, form: Form) -> Column:
    kind = array.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:  # the clock that is written counts
        return _all_good(to_seconds(pc.local_timestamp(array)))
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return _all_good(to_seconds(array))

    def cast(texts: pa.Array) -> np.ndarray:
        return to_seconds(texts.cast(pa.timestamp("us")))

    return _read(array, MOMENT, cast, lambda cell: _seconds(cell, form))


def _seconds(cell: Any, form: Form) -> float | None:
    moment = to_moment(cell, form)
    if isinstance(moment, str):
        return None
    return float("nan") if moment is None else (moment - datetime(1970, 1, 1)).total_seconds()


def _read(
    array: pa.Array,
    form: str,
    cast: Callable[[pa.Array], np.ndarray],
    read: Callable[[Any], float | None],
) -> Column:
    """Texts of the given form by `cast`, all at once; other cells by `read`, one by one."""
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return _one_by_one(array, read)
    texts = pc.utf8_trim_whitespace(array)
    usual = pc.fill_null(pc.match_substring_regex(texts, form), False)
    try:
        many = cast(texts.filter(usual))
    except pa.ArrowInvalid:  # 2024-02-31 among them
        return _one_by_one(array, read)
    few = _one_by_one(array.filter(pc.invert(usual)), read)
    which_N = usual.to_numpy(zero_copy_only=False)
    x_N, bad_N = np.empty(len(array)), np.zeros(len(array), dtype=bool)
    x_N[which_N] = many
    x_N[~which_N], bad_N[~which_N] = few
    return Column(x_N, bad_N)


def _one_by_one(array: pa.Array, read: Callable[[Any], float | None]) -> Column:
    found = [read(cell) for cell in to_python(array)]
    bad_N = np.array([x is None for x in found], dtype=bool)
    return Column(np.array([np.nan if x is None else x for x in found], dtype=np.float64), bad_N)


def _all_good(x_N: np.ndarray) -> Column:
    return Column(x_N, np.zeros(len(x_N), dtype=bool))


def _join(parts: Sequence[Column]) -> Column:
    return Column(np.concatenate([p.x_N for p in parts]), np.concatenate([p.bad_N for p in parts]))
