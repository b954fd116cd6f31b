"""How long a whole answer takes before and after, beside the time to read its cells."""

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import NamedTuple

import numpy as np

from modalloy.answer.engine import Decided, Engine
from modalloy.answer.loader import Loader
from modalloy.deploy.feeds import MANY
from modalloy.deploy.guard import Guard
from modalloy.deploy.speed import Timer
from modalloy.machine.bursts import Ratio, faster
from modalloy.readers.batch import ArrayBatch

READ = 16  # rows whose cells are read anew


class Whole(NamedTuple):
    """Milliseconds. feed: to read the cells of one row, nothing kept from before. one, many: to
    compute the answer of one row, and of 16 rows together, before and after; faster_one,
    faster_many: how many times as fast.
    """

    feed: float
    one: tuple[float, float]
    many: tuple[float, float]
    p99: tuple[float, float]
    faster_one: Ratio
    faster_many: Ratio


def whole_speed(guard: Guard, before: Engine, after: Engine, time: Timer) -> Whole:
    """Both engines in turn on real rows."""
    loader, rows = guard.rows.loader, guard.rows.calibrate
    found = []
    for some in (rows[:1], rows[np.arange(MANY) % len(rows)]):
        given = loader.batch(some)
        ways: dict[str, Callable[[], object]] = {
            n: partial(answer, e, given) for n, e in (("slow", before), ("fast", after))
        }
        with before.answering():
            found.append(time(ways))
    one, many = found
    return Whole(
        feed_ms(loader, rows),
        (one["slow"].p50_ms, one["fast"].p50_ms),
        (many["slow"].p50_ms, many["fast"].p50_ms),
        (one["slow"].p99_ms, one["fast"].p99_ms),
        faster(one["slow"], one["fast"]),
        faster(many["slow"], many["fast"]),
    )


def answer(engine: Engine, given: ArrayBatch) -> Decided:
    """What the network says of some rows."""
    return engine.decide(engine.encode(given, engine.inputs))


def feed_ms(loader: Loader, rows: np.ndarray) -> float:
    """Milliseconds of reading one row, the median of some."""
    fresh = Loader(loader.table, loader.job, loader.readers, {})
    took = []
    for row in rows[:READ]:
        begin = perf_counter()
        fresh.batch(np.array([row]))
        took.append(1000.0 * (perf_counter() - begin))
    return float(np.median(took))
