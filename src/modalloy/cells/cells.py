"""Some rows of some columns as Python values, and which of them hold nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


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
