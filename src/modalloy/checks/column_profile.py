"""What the cells of a column look like: counts, names, lengths; no decision yet."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from modalloy.cells.cells import empty
from modalloy.machine.encodings import is_han
from modalloy.table.table import Table

SAMPLE_ROWS = 20_000  # rows that a column is judged by
SAMPLE_BYTES = 256 << 20
SAMPLE_LISTS = 500  # lists and records are larger
FOREIGN = 0.2  # share of letters beyond ASCII; of German and French it is a tenth at most
SPREAD = 200  # cells that are parsed to see what they are


@dataclass(frozen=True)
class Look:
    """Sampled cells of one column.

    filled: those that hold something. rows: cells looked at. total: rows of the whole table.
    decimal: the sign in the fractions of numbers that are written as text.
    """

    name: str
    kind: str
    filled: Sequence[Any]
    rows: int
    total: int
    decimal: str = "."

    @property
    def missing(self) -> int:
        """Empty cells among those looked at."""
        return self.rows - len(self.filled)

    @cached_property
    def names(self) -> list[Any]:
        """Different values, in the order of their first cell."""
        return list(dict.fromkeys(self.filled))

    @property
    def distinct(self) -> int:
        """Number of different values."""
        return len(self.names)

    @cached_property
    def some(self) -> list[Any]:
        """At most 200 filled cells, spread evenly."""
        step = max(1, len(self.filled) // SPREAD)
        return list(self.filled[::step])[:SPREAD]

    @cached_property
    def words(self) -> float:
        """Mean number of words of a text."""
        return float(np.mean([word_count(c) for c in self.some])) if self.some else 0.0

    @cached_property
    def lists(self) -> list[Any]:
        """Cells that are lists or JSON text of them, as lists; nothing where one is neither."""
        cells = self.filled if self.kind == "list" else [parse_list(c) for c in self.some]
        return [] if any(c is None for c in cells) else list(cells)

    def matching(self, pattern: re.Pattern[str]) -> int:
        """Filled cells that a pattern finds something in."""
        return sum(pattern.search(c) is not None for c in self.filled)


def look_at(table: Table, column: str, total: int) -> Look:
    """Look at a column of a sample; at fewer cells where they are lists.

    total: rows of the table that the sample is from.
    """
    kind = table.kind(column)
    rows = np.arange(table.rows)
    if kind in ("list", "other"):
        rows = rows[:: max(1, len(rows) // SAMPLE_LISTS)]
    cells = [] if kind == "other" else table.cells(column, rows)
    filled = [c for c in cells if not empty(c)]
    return Look(column, kind, filled, len(rows), total, table.decimal)


def sample(table: Table) -> Table:
    """The table itself, or rows drawn from a large one, in their order."""
    most = int(min(SAMPLE_ROWS, max(100, SAMPLE_BYTES / table.row_bytes)))
    if table.rows <= most:
        return table
    draw = np.random.default_rng(0)
    return table.select(np.sort(draw.choice(table.rows, most, replace=False)))


def parse_list(cell: Any) -> list[Any] | None:
    """The list that a JSON text holds, None for any other text."""
    if not isinstance(cell, str) or not cell.lstrip().startswith("["):
        return None
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def word_count(text: str) -> int:
    """Words of a text; Chinese, which is written without spaces, has about two letters a word."""
    if not any(map(is_han, text)):
        return len(text.split())
    parts = "".join(c if c.isalnum() else " " for c in text).split()
    return sum(max(1, sum(map(is_han, part)) // 2) for part in parts)


def foreign(texts: Sequence[str]) -> bool:
    """Whether more than a fifth of the letters are none of English."""
    letters = [c for text in texts for c in text if c.isalpha()]
    return sum(not c.isascii() for c in letters) >= FOREIGN * max(1, len(letters))


def all_numbers(cell: Any) -> bool:
    """Whether a list holds only numbers (or nothing, here and there)."""
    if isinstance(cell, np.ndarray):
        return True
    return len(cell) > 0 and all(x is None or isinstance(x, int | float) for x in cell)


def all_texts(cell: Any) -> bool:
    """Whether a list holds only texts."""
    return not isinstance(cell, np.ndarray) and all(isinstance(x, str) for x in cell)


def all_boxes(cell: Any) -> bool:
    """Whether a list holds only lists of four numbers."""
    return not isinstance(cell, np.ndarray) and all(
        isinstance(x, list | np.ndarray) and len(x) == 4 and all_numbers(x) for x in cell
    )


def counted(number: int) -> str:
    """1 234 567."""
    return f"{number:,}".replace(",", " ")
