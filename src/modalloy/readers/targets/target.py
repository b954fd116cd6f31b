"""Cells that hold the right answer in, arrays to learn from and natural values to judge by out.

One kind of task a file beside this one; what they share stands here.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.readers.reader import same


@dataclass(frozen=True)
class TargetReader(ABC):
    """Fitted on training rows; its fields are its JSON state. `name` is the task's.

    column: the table column of the answers.
    """

    kind: ClassVar[str]
    name: str
    column: str

    @classmethod
    @abstractmethod
    def blank(cls, name: str, options: Any) -> Self:
        """A reader that knows how answers are written and nothing else; its `columns` hold."""

    @classmethod
    @abstractmethod
    def fit(cls, name: str, options: Any, cells: Cells) -> Self:
        """What training rows say of the answers; TableError where there is nothing to learn.

        cells: of the `columns`.
        """

    @classmethod
    def seen(cls, name: str, options: Any, cells: Cells) -> Self:
        """As `fit`, of rows that need not show enough by themselves: a site's, among others'."""
        return cls.fit(name, options, cells)

    @classmethod
    def together(cls, fitted: Sequence[Self], rows: Sequence[int]) -> Self:
        """One reader from those of several sites. rows: that each was fitted on. TableError where
        they cannot be one."""
        return same(fitted)

    @property
    def columns(self) -> tuple[str, ...]:
        """Table columns that it reads."""
        return (self.column,)

    @abstractmethod
    def read(self, cells: Cells) -> dict[str, np.ndarray]:
        """Arrays with rows first; `known` (B,) bool is False where there is nothing to learn."""

    @abstractmethod
    def truth(self, cells: Cells) -> list[Any]:
        """The right answers as a person would write them, None where a cell is empty."""

    @abstractmethod
    def told(self, name: str, options: Any, answer: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Columns of a table of answers, one value a row: `NAME`, `NAME.confidence` and the like.

        answer: what the task's head answers.
        """

    @property
    def possible(self) -> list[str] | None:
        """What a part of an answer can be: names of classes, kinds of spans; None for numbers."""
        return names_of(self)

    @staticmethod
    def classes(answer: Any) -> set[str]:
        """The classes that one right answer names: labels, kinds of tags; none for numbers."""
        del answer
        return set()

    @staticmethod
    @abstractmethod
    def signal(answers: np.ndarray) -> "Signal":
        """What a single column might tell of these right answers, of which none is None."""

    def state(self) -> dict[str, Any]:
        """What `from_state` needs, as JSON."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The reader whose `state` this is."""
        fields: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in state.items()
        }
        return cls(**fields)


class Signal(NamedTuple):
    """Right answers as something that a single column may tell.

    y_NC: 0 or 1 for each class; or one column of amounts, such as how many boxes a row has, where
    `names` is None. names: of the classes.
    """

    y_NC: np.ndarray
    names: list[str] | None = None


def names_of(target: Any) -> list[str] | None:
    """Names of classes, tags or kinds of boxes; None for numbers."""
    names = getattr(target, "names", None)
    return list(names) if names is not None else None
