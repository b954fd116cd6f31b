"""What is watched of some rows, as arrays; whoever read them."""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

import numpy as np

TOGETHER = "all together"  # the vectors of all columns fused


class Feature(NamedTuple):
    """A number that is watched. column: of the job, or a channel of one. of: what of its cell, such
    as `brightness`; "" where the cell is the number itself."""

    column: str
    of: str = ""

    def __str__(self) -> str:
        return f"{self.of} of {self.column}" if self.of else self.column


class Say(NamedTuple):
    """What is watched of a task's answers, row by row.

    kind: `classes`, `labels`, `number` or `items`. name_B: the number of the answered class, -1
    where there is none. value_B: the answered number, of items how many. sure_B: how sure, from 0
    to 1. width_B: of the interval. right_B: whether (of labels how far) it is right, error_B: how
    far off; known where the truth is, NaN elsewhere. held_B: 1 where the set or interval holds the
    truth. What an answer does not have is NaN.
    """

    kind: str
    name_B: np.ndarray
    value_B: np.ndarray
    sure_B: np.ndarray
    width_B: np.ndarray
    right_B: np.ndarray
    error_B: np.ndarray
    held_B: np.ndarray

    def some(self, rows: np.ndarray) -> Self:
        """The same of some rows."""
        return self._replace(**{k: v[rows] for k, v in self._asdict().items() if k != "kind"})


@dataclass(frozen=True)
class Seen:
    """What is watched of B rows.

    present: input column -> whether its cell is there. numbers: NaN where a row has none. names:
    category column -> number of the name, 0 for one that training did not have, -1 for none.
    vectors: media column, or `TOGETHER` -> (B, F), NaN where a row has none. said: by task.
    """

    rows: int
    present: dict[str, np.ndarray] = field(default_factory=dict)
    numbers: dict[Feature, np.ndarray] = field(default_factory=dict)
    names: dict[str, np.ndarray] = field(default_factory=dict)
    vectors: dict[str, np.ndarray] = field(default_factory=dict)
    said: dict[str, Say] = field(default_factory=dict)

    def some(self, rows: np.ndarray) -> Self:
        """The same of the rows at these positions, in this order."""

        def cut(arrays: dict[Any, np.ndarray]) -> dict[Any, np.ndarray]:
            return {key: array[rows] for key, array in arrays.items()}

        return replace(
            self,
            rows=len(rows),
            present=cut(self.present),
            numbers=cut(self.numbers),
            names=cut(self.names),
            vectors=cut(self.vectors),
            said={task: say.some(rows) for task, say in self.said.items()},
        )


def together(one: Seen, other: Seen) -> Seen:
    """The cells and vectors of both, as of one set of rows; answers are left out."""

    def both(a: dict[Any, np.ndarray], b: dict[Any, np.ndarray]) -> dict[Any, np.ndarray]:
        return {key: np.concatenate([a[key], b[key]]) for key in a if key in b}

    return Seen(
        one.rows + other.rows,
        both(one.present, other.present),
        both(one.numbers, other.numbers),
        both(one.names, other.names),
        both(one.vectors, other.vectors),
    )
