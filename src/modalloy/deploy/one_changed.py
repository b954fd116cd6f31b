"""An engine of which one input's graph is another one: what the others say is asked for once."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np

from modalloy.answer.engine import Encoded
from modalloy.answer.graph_engine import GraphEngine
from modalloy.graphs.session import Session
from modalloy.job.inputs import shared_encoders
from modalloy.readers.batch import ArrayBatch

ROOM = 1_000_000_000  # bytes that are kept of encoded rows


class Kept:
    """What graphs that stay as they are say of batches of rows, as far as there is room: what is
    beyond it is asked for anew each time.
    """

    def __init__(self, room: int = ROOM) -> None:
        self.left, self.found = room, dict[Any, Encoded]()

    def get(self, key: Any, ask: Callable[[], Encoded]) -> Encoded:
        """What was kept, or what is said now."""
        if key in self.found:
            return self.found[key]
        one = ask()
        size = bytes_of([one.tokens, one.pooled, one.context])
        if size <= self.left:
            self.found[key] = one
            self.left -= size
        return one


def bytes_of(held: Any) -> int:
    """Of all arrays within values that hold others."""
    if isinstance(held, np.ndarray):
        return held.nbytes
    if isinstance(held, Mapping):
        return sum(map(bytes_of, held.values()))
    if is_dataclass(held):
        return sum(bytes_of(getattr(held, f.name)) for f in fields(held))
    return sum(map(bytes_of, held)) if isinstance(held, list | tuple) else 0


class OneChanged(GraphEngine):
    """A graph engine with other sessions for some of its branches.

    kept: what graphs that stay as they are say of batches of rows; shared by all that are made of
    one `base`.
    """

    def __init__(self, base: GraphEngine, changed: Mapping[str, Session], kept: Kept) -> None:
        given = (base.job, base.readers, base.targets, base.branches)
        super().__init__(*given, {**base.sessions, **changed}, base.absent_D)
        alike = {a for a, b in shared_encoders(base.job).items() if b in changed}
        self.base, self.changed, self.kept = base, set(changed) | alike, kept

    def encode(
        self, given: ArrayBatch, inputs: Collection[str], *, pooled: Collection[str] = ()
    ) -> Encoded:
        """See `Engine.encode`."""
        found = super().encode(given, [n for n in inputs if n in self.changed], pooled=pooled)
        for name in (n for n in inputs if n not in self.changed):
            key = (name, given.rows.tobytes(), name in pooled)
            asked = partial(self.base.encode, given, [name], pooled=pooled)
            one = self.kept.get(key, asked)
            found.tokens |= one.tokens
            found.pooled |= one.pooled
            found.context |= one.context
        return found


def far_outside(values: Mapping[str, np.ndarray], seed: int) -> list[dict[str, np.ndarray]]:
    """The same arrays with numbers that no training has seen: a thousand times as large, of the
    other sign, and noise; whole numbers and masks stay.
    """
    draw = np.random.default_rng(seed)

    def changed(way: int) -> dict[str, np.ndarray]:
        found = {}
        for name, x in values.items():
            if x.dtype.kind != "f":
                found[name] = x
            elif way == 2:
                found[name] = draw.normal(0.0, 100.0, x.shape).astype(x.dtype)
            else:
                found[name] = (x * (1000.0, -1000.0)[way]).astype(x.dtype)
        return found

    return [changed(way) for way in range(3)]


def finite(session: Session, values: Mapping[str, np.ndarray]) -> bool:
    """Whether all numbers that come out are finite."""
    out = session.run(dict(values))
    return all(np.isfinite(x).all() for x in out.values() if x.dtype.kind == "f")
