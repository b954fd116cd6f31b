"""Cells of some rows in, arrays out: what every reader does; numpy alone, shared with serving."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np


class Read(NamedTuple):
    """What a reader returns for B rows.

    values: name -> array with rows first; absent rows hold zeros, never NaN. present: (B,) bool.
    status: one word or sentence a row: "ok", "missing", "noted: <what>" (read, but not quite as
    usual; present), "unknown: <cell>" (a category never seen; still present), "unreadable: <why>"
    (media; not present).
    """

    values: dict[str, np.ndarray]
    present: np.ndarray
    status: list[str]


@dataclass(frozen=True)
class Cells:
    """Some rows of some columns, as Python values with None (or NaN) where a cell is empty.

    Text is what was written, also of a number in a CSV file; decimal: the sign in its fraction.
    """

    columns: Mapping[str, Sequence[Any]]
    folder: Path = field(default_factory=Path)  # relative media paths start here
    allow_outside: bool = False
    decimal: str = "."

    def __getitem__(self, column: str) -> Sequence[Any]:
        return self.columns[column]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


@dataclass(frozen=True)
class Reader(ABC):
    """Fitted on training rows, then the same for ever; its fields are its JSON state."""

    kind: ClassVar[str]
    name: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Table columns that it reads."""
        return (self.name,)

    @abstractmethod
    def read(self, cells: Cells) -> Read:
        """Arrays of these rows; never raises for a bad cell, the status says what is wrong."""

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


def noted(notes: Iterable[str]) -> str:
    """The status of a cell that was read, with what is to be said of it."""
    told = "; ".join(note for note in notes if note)
    return f"noted: {told}" if told else "ok"


def empty(cell: Any) -> bool:
    """Whether a cell holds nothing: None, NaN, NaT, "" or white space."""
    if cell is None:
        return True
    if isinstance(cell, str):
        return not cell.strip()
    return (isinstance(cell, float) and cell != cell) or type(cell).__name__ in (
        "NaTType",
        "NAType",
    )
