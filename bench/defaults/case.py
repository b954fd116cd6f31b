"""One case of the board: a table, what is asked of it, and what is known of good answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from bench.figure import Figure

Kind = Literal["shared", "holdout", "series", "generated"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Places(NamedTuple):
    """Where tables lie: the shared sets, and a folder for those that are made."""

    data: Path
    made: Path


class LeftOutError(Exception):
    """Why a case cannot be run here, in a sentence."""


class Anchor(NamedTuple):
    """A good figure from elsewhere on the same rows, whose it is, and the scale of its target."""

    value: float
    whose: str
    scale: str | None = None  # of a number that is learned: figures on another do not compare


@dataclass(frozen=True)
class Case:
    """A table and the job that `init` prints for it.

    asks: what `init` must get right there, in a sentence.
    figures: of the tasks as `init` names them, by their target columns.
    splits: those that `init` cannot know, one a training; the one that it prints where empty.
    giveaways: columns that the set itself names as giving the answer away; where `init` leaves one
        as an input, it is ignored by an edit that the board shows.
    """

    name: str
    kind: Kind
    asks: str
    table: Callable[[Places], Path]
    targets: tuple[str, ...]
    figures: tuple[Figure, ...]
    splits: tuple[Mapping[str, Any], ...] = ()
    giveaways: tuple[str, ...] = ()
    anchors: Mapping[str, Anchor] = field(default_factory=dict)

    @property
    def holds_out(self) -> bool:
        """Whether test rows come from a machine, a speaker or a batch never learned from."""
        return any("hold_out" in split for split in self.splits)
