"""What every reader does: fitted on training rows, it turns cells into arrays for ever alike."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from modalloy.cells.cells import Cells


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
