"""Real rows as they enter each graph of a network: what candidates are tried, timed and calibrated
on.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from modalloy.answer.graph_engine import GraphEngine
from modalloy.answer.loader import Loader
from modalloy.graphs.branch import FUSION
from modalloy.graphs.session import Session
from modalloy.readers.batch import TABLE, ArrayBatch, Arrays

MANY = 16  # rows of the larger batch that is timed
CHUNK = 32  # rows that are read at once


class Feed(NamedTuple):
    """What goes into one graph. one: of a single row; many: of `MANY` of them, padded as they are
    when they are answered together. each: of single rows, which ranges are taken from.
    """

    one: Arrays
    many: Arrays
    each: Sequence[Arrays]


def feeds_of(base: GraphEngine, loader: Loader, rows: np.ndarray) -> dict[str, Feed]:
    """What goes into each graph for some rows; an input that no row has is left out."""
    found = {}
    for name, branch in base.branches.items():
        if name == FUSION:
            found[name] = fusion_feed(base, loader, rows)
            continue
        wanted = list(branch.inputs)
        there = rows if name == TABLE else rows[present(loader, name, rows)]
        if not len(there):
            continue
        many = there[np.arange(MANY) % len(there)]
        each = [entering(loader, name, row[None], wanted) for row in there]
        found[name] = Feed(each[0], entering(loader, name, many, wanted), each)
    return found


def present(loader: Loader, name: str, rows: np.ndarray) -> np.ndarray:
    """Which of these rows have an input that can be read, (N,)."""
    chunks = [rows[i : i + CHUNK] for i in range(0, len(rows), CHUNK)]
    return np.concatenate([loader.batch(c, inputs=[name]).present[name] for c in chunks])


def entering(loader: Loader, name: str, rows: np.ndarray, wanted: Sequence[str]) -> Arrays:
    """The arrays of one input's graph for rows that all have it."""
    given: ArrayBatch = loader.batch(rows, inputs=[name])
    values = dict(given.values[name])
    if name == TABLE:
        values["present"] = given.present[TABLE]
    return {n: np.ascontiguousarray(values[n]) for n in wanted}


def fusion_feed(base: GraphEngine, loader: Loader, rows: np.ndarray) -> Feed:
    """What goes into fusion and heads."""
    many = rows[np.arange(MANY) % len(rows)]
    one = tokens_entering(base, loader, rows[:1])
    return Feed(one, tokens_entering(base, loader, many), [one])


class Recorder(Session):
    """A session that notes what it was given last."""

    def __init__(self, session: Session) -> None:
        self.session, self.inputs = session, session.inputs
        self.given: Arrays = {}

    def run(self, values: Arrays) -> Arrays:
        """See `Session.run`."""
        self.given = values
        return self.session.run(values)


def tokens_entering(base: GraphEngine, loader: Loader, rows: np.ndarray) -> Arrays:
    """The arrays of the last graph for some rows, in the order of its inputs."""
    recorder = Recorder(base.sessions[FUSION])
    sessions = {**base.sessions, FUSION: recorder}
    own = (base.job, base.readers, base.targets, base.branches, sessions, base.absent_D)
    engine = GraphEngine(*own)
    engine.decide(engine.encode(loader.batch(rows), engine.inputs))
    wanted = base.branches[FUSION].inputs
    return {name: np.ascontiguousarray(recorder.given[name]) for name in wanted}


def as_tensors(values: Arrays) -> tuple[torch.Tensor, ...]:
    """The arrays as a module of the same graph takes them."""
    return tuple(torch.from_numpy(x) for x in values.values())
