"""Values of answers as JSON has them: no NaN, no arrays."""

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def records_of(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    """One mapping a row; NaN is null."""
    names = list(frame.columns)
    columns = [[plain(v) for v in frame[name].tolist()] for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)] or [
        {} for _ in range(len(frame))
    ]


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


def as_json(value: Any) -> bytes:
    """A value of `plain` as a body."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
