"""What a run keeps of the rows that it knows, to compare other rows with: quantiles, counts and a
few vectors; no cell."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from modalloy.drift.sketch import Sketch
from modalloy.observing.look import some_of
from modalloy.observing.seen import Feature, Say, Seen, together

VECTORS = 400  # rows whose vectors are kept
SAID = 2000  # held-back rows whose answers are kept
HELD = 50  # held-back rows, from which vectors that tasks have shaped are kept


class Spread(NamedTuple):
    """A number: its quantiles, and those of how far rows lie from the median, which tell scales
    apart where both means are the same."""

    own: Sketch
    apart: Sketch

    def distance(self, x_B: np.ndarray) -> np.ndarray:
        """How far numbers lie from the median."""
        return np.abs(x_B - self.own.median)


class Counts(NamedTuple):
    """How many rows have each name, 0 being any that training did not have: of rows that names were
    taken from, and of rows that were held back, which alone tell how often a name is new."""

    learned_C: np.ndarray
    held_C: np.ndarray


@dataclass(frozen=True)
class Reference:
    """Rows that a run knows, in sums.

    rows: of all, held: of them not learned from. present: column -> rows that have its cell.
    vectors: (V, F) by column. learned: columns whose vectors tasks have shaped; theirs are of rows
    that were held back. said: answers to held-back rows with their truth; none where a run kept
    none.
    """

    rows: int
    held: int
    present: dict[str, int] = field(default_factory=dict)
    numbers: dict[Feature, Spread] = field(default_factory=dict)
    names: dict[str, Counts] = field(default_factory=dict)
    vectors: dict[str, np.ndarray] = field(default_factory=dict)
    learned: frozenset[str] = frozenset()
    said: dict[str, Say] = field(default_factory=dict)


def refer_to(
    train: Seen,
    held: Seen,
    said: dict[str, Say],
    *,
    sizes: dict[str, int],
    frozen: frozenset[str],
    draw: np.random.Generator,
) -> Reference:
    """Sums of rows. train, held: rows learned from, and not; held may be none. sizes: category ->
    its names with the one of new ones. frozen: columns whose vectors learning did not shape.
    """
    every = together(train, held)
    vectors, learned = {}, frozenset(every.vectors) - frozen
    for name in every.vectors:
        x_BF = held.vectors[name] if name in learned else every.vectors[name]
        x_BF = x_BF[np.isfinite(x_BF).all(1)]
        if len(x_BF) >= (HELD if name in learned else 1):
            vectors[name] = x_BF[some_of(len(x_BF), VECTORS, draw)].astype(np.float32)
    numbers = {}
    for feature, x_B in every.numbers.items():
        own = Sketch.of(x_B)
        numbers[feature] = Spread(own, Sketch.of(np.abs(x_B - own.median)))
    names = {
        name: Counts(*(counted(s.names[name], sizes[name]) for s in (train, held)))
        for name in every.names
    }
    kept = {task: answers.some(shuffled(answers, draw)) for task, answers in said.items()}
    present = {name: int(there.sum()) for name, there in every.present.items()}
    return Reference(
        every.rows, held.rows, present, numbers, names, vectors, learned & vectors.keys(), kept
    )


def counted(name_B: np.ndarray, size: int) -> np.ndarray:
    """Rows by name."""
    return np.bincount(name_B[name_B >= 0].astype(np.int64), minlength=size)


def shuffled(said: Say, draw: np.random.Generator) -> np.ndarray:
    """Rows in an order that tells nothing of the table's."""
    return draw.permutation(len(said.name_B))[:SAID]
