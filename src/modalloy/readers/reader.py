"""What every reader does: fitted on training rows, it turns cells into arrays for ever alike."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, Self, TypeVar

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.cells.naming import FRACTION
from modalloy.errors import TableError


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
    def together(cls, fitted: Sequence[Self], rows: Sequence[int]) -> Self:
        """One reader of a column from several sites'. rows: that each was fitted on.

        Of most kinds all sites' must be the same; TableError where they are not.
        """
        return same(fitted)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The reader whose `state` this is."""
        fields: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in state.items()
        }
        return cls(**fields)


Fitted = TypeVar("Fitted")


def same(fitted: Sequence[Fitted], *fields: str) -> Fitted:
    """The first of several readers of one column; TableError where these fields (all of them for
    none) are not the same everywhere."""
    first = fitted[0]
    for other in fitted[1:]:
        for field in fields or vars(first):
            own, theirs = getattr(first, field), getattr(other, field)
            if own != theirs:
                name = getattr(first, "name", "")
                raise TableError(
                    f"'{name}': {field} is {own!r:.40} at one site and {theirs!r:.40} at another; "
                    "write it alike, or say in the job how it is read"
                )
    return first


class Named(Protocol):
    """A reader of names, and the sign that their table writes fractions with."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in their order."""
        ...

    @property
    def decimal(self) -> str:
        """The sign."""
        ...


def same_decimal(fitted: Sequence[Named]) -> str:
    """The sign that names write fractions with; TableError where it is another at some site, and
    any name has one."""
    if any(FRACTION.fullmatch(name) for reader in fitted for name in reader.names):
        same(fitted, "decimal")
    return fitted[0].decimal


def moments(found: Sequence[tuple[Any, Any]], rows: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of all rows from those of several parts of them, entry by entry."""
    share_S = np.array(rows, dtype=np.float64) / sum(rows)
    center_SF = np.array([c for c, _ in found], dtype=np.float64)
    scale_SF = np.array([s for _, s in found], dtype=np.float64)
    center_F = np.tensordot(share_S, center_SF, 1)
    square_F = np.tensordot(share_S, scale_SF**2 + (center_SF - center_F) ** 2, 1)
    return center_F, np.sqrt(square_F)


def noted(notes: Iterable[str]) -> str:
    """The status of a cell that was read, with what is to be said of it."""
    told = "; ".join(note for note in notes if note)
    return f"noted: {told}" if told else "ok"
