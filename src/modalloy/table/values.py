"""Arrow arrays in, Python values and numpy arrays out."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def to_python(array: pa.Array) -> list[Any]:
    """Python values; None for blank text, numpy arrays for lists of numbers."""
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        return blank_to_null(array).to_pylist()
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        inner = array.type.value_type
        if pa.types.is_integer(inner) or pa.types.is_floating(inner):
            return _number_lists(array)
    return array.to_pylist()


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


def _number_lists(array: pa.Array) -> list[np.ndarray | None]:
    values = array.values.to_numpy(zero_copy_only=False)
    ends = array.offsets.to_numpy()
    some = array.is_valid().to_numpy(zero_copy_only=False)
    return [
        values[a:b] if valid else None
        for a, b, valid in zip(ends[:-1], ends[1:], some, strict=True)
    ]
