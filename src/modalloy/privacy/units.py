"""What is protected as one: a row, or all rows of one value of a column; how steps draw them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from modalloy.cells.cells import empty

ROWS_OF_A_UNIT = 16  # that one step sees at most: drawn anew, they promise no less


@dataclass(frozen=True)
class Units:
    """Rows by what is protected as one. rows: of each unit, its row numbers in the table."""

    rows: list[np.ndarray]

    @classmethod
    def of_rows(cls, which: np.ndarray) -> Self:
        """Each row for itself."""
        return cls([which[i : i + 1] for i in range(len(which))])

    @classmethod
    def of_values(cls, which: np.ndarray, values: Sequence[Any]) -> Self:
        """Rows of one value together. A row without a value is a unit of its own: nothing says
        whose it is. values: of the column, as long as `which`.
        """
        by_value: dict[str, list[int]] = {}
        for i, value in enumerate(values):
            name = f"row {i}" if empty(value) else f"value {value}"
            by_value.setdefault(name, []).append(i)
        return cls([which[np.array(some)] for some in by_value.values()])

    def __len__(self) -> int:
        return len(self.rows)

    def draw(self, rate: float, draw: np.random.Generator) -> list[np.ndarray]:
        """Units of one step, each drawn by its own chance (Poisson sampling); perhaps none.

        Of a unit with many rows a few are drawn.
        """
        chosen = np.flatnonzero(draw.random(len(self.rows)) < rate)
        return [self.some(self.rows[unit], draw) for unit in chosen]

    @staticmethod
    def some(rows: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        """The rows of a unit that a step sees."""
        if len(rows) <= ROWS_OF_A_UNIT:
            return rows
        return draw.choice(rows, ROWS_OF_A_UNIT, replace=False)


def in_chunks(drawn: Sequence[np.ndarray], at_once: int) -> Iterator[list[np.ndarray]]:
    """Whole units one after the other, together as many rows as fit; one that has more alone."""
    chunk: list[np.ndarray] = []
    for rows in drawn:
        if chunk and sum(map(len, chunk)) + len(rows) > at_once:
            yield chunk
            chunk = []
        chunk.append(rows)
    if chunk:
        yield chunk
