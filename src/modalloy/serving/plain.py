"""Values of answers as JSON has them: no NaN, no arrays."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from modalloy.checks.finding import some


def records_of(columns: Mapping[str, Iterable[Any]], rows: int) -> list[dict[str, Any]]:
    """One mapping a row of columns with so many values each; NaN is null."""
    values = [[plain(v) for v in listed(column)] for column in columns.values()]
    found = [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]
    return found or [{} for _ in range(rows)]


def listed(column: Iterable[Any]) -> list[Any]:
    """A column's values, those of numpy as Python's."""
    return column.tolist() if hasattr(column, "tolist") else list(column)


def plain(value: Any) -> Any:
    """One value as JSON."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):  # of numpy
        return plain(value.tolist())
    return str(value)


def whole(text: str) -> int | None:
    """A whole number of at most 15 digits; None for any other text."""
    return int(text) if text.isdecimal() and len(text) < 16 else None


def named(keys: Iterable[Any]) -> str:
    """Names that a client sent, in a sentence: the first four, none longer than a line."""
    return some([f"{key!s:.60}" for key in keys], 4)


def as_json(value: Any) -> bytes:
    """A value of `plain` as a body."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
