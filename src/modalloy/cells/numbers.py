"""The number that a cell holds, however it is written."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from modalloy.cells.cells import empty
from modalloy.cells.missing_markers import says_nothing

GROUPED = re.compile(r"[+-]?[0-9]{1,3}(\.[0-9]{3})+(,[0-9]*)?")  # 12.050 or 1.234,5


CLOCK = re.compile(r"[0-2][0-9]:[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?")


def to_number(cell: Any, decimal: str = ".") -> float | None:
    """The cell as a float, None when it is text that is no number.

    decimal: the sign before the fraction of a text; of a comma, points may part the thousands. true
    and false are 1 and 0, a clock time (08:30 or 08:30:15) seconds since midnight. NaN when it is
    empty or a mark for no value (`n.d.`, `-`), in every verb and kind of table.
    """
    if empty(cell):
        return float("nan")
    if isinstance(cell, np.ndarray):
        return None
    try:
        if isinstance(cell, str) and decimal == ",":
            return _of_comma(cell.strip())
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return _of_words(cell.strip()) if isinstance(cell, str) else None


def _of_comma(text: str) -> float:
    """A number with a decimal comma; ValueError for another text, such as 1.5."""
    if "." in text and not GROUPED.fullmatch(text):
        raise ValueError(text)
    return float(text.replace(".", "").replace(",", "."))


def _of_words(text: str) -> float | None:
    """A number that is not written as one."""
    if text in ("true", "True", "TRUE"):
        return 1.0
    if text in ("false", "False", "FALSE"):
        return 0.0
    if CLOCK.fullmatch(text):
        hours, minutes, *seconds = map(float, text.split(":"))
        return 3600 * hours + 60 * minutes + sum(seconds)
    return float("nan") if says_nothing(text) else None


def to_numbers(cells: Sequence[Any], decimal: str = ".") -> np.ndarray:
    """Float64, NaN where a cell holds no number."""
    if isinstance(cells, np.ndarray) and cells.dtype.kind in "biuf":
        return cells.astype(np.float64)
    numbers = (to_number(c, decimal) for c in cells)
    return np.array([np.nan if n is None else n for n in numbers], dtype=np.float64)
