"""An engine of which one input's graph is another one: what the others say is asked for once."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from modalloy.answer.engine import Encoded
from modalloy.answer.graph_engine import GraphEngine
from modalloy.graphs.session import Session
from modalloy.readers.batch import ArrayBatch


class OneChanged(GraphEngine):
    """A graph engine with other sessions for some of its branches.

    kept: what graphs that stay as they are say of batches of rows; shared by all that are made of
    one `base`.
    """

    def __init__(
        self, base: GraphEngine, changed: Mapping[str, Session], kept: dict[Any, Encoded]
    ) -> None:
        given = (base.job, base.readers, base.targets, base.branches)
        super().__init__(*given, {**base.sessions, **changed}, base.absent_D)
        self.base, self.changed, self.kept = base, set(changed), kept

    def encode(
        self, given: ArrayBatch, inputs: Collection[str], *, pooled: Collection[str] = ()
    ) -> Encoded:
        """See `Engine.encode`."""
        found = super().encode(given, [n for n in inputs if n in self.changed], pooled=pooled)
        for name in (n for n in inputs if n not in self.changed):
            key = (name, given.rows.tobytes(), name in pooled)
            if key not in self.kept:
                self.kept[key] = self.base.encode(given, [name], pooled=pooled)
            one = self.kept[key]
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
