"""Streams see what began late, and are rarely wrong."""

import numpy as np

from modalloy.observing.reference import Reference, refer_to
from modalloy.observing.said import blank
from modalloy.observing.seen import Feature, Seen
from modalloy.watching.streams import streams_of

HEAT = Feature("heat")


def window(
    draw: np.random.Generator, rows: int = 300, late: float = 0.0, sure: float = 0.0
) -> Seen:
    heat, odds = draw.normal(size=rows), draw.random(rows)
    heat[-40:] += late
    odds[-60:] -= sure
    said = blank("classes", rows, name_B=np.zeros(rows, int), sure_B=odds)
    return Seen(rows, {}, {HEAT: heat}, {}, {}, {"fault": said})


def known(draw: np.random.Generator) -> Reference:
    rows = window(draw, 2000)
    return refer_to(
        rows, rows.some(np.arange(0)), rows.said, sizes={}, frozen=frozenset(), draw=draw
    )


def test_what_begins_late_is_seen(draw: np.random.Generator) -> None:
    reference = known(draw)
    assert [t.where for t in streams_of(reference, window(draw, late=4.0))] == ["heat"]
    found = streams_of(reference, window(draw, sure=0.9))
    assert [(t.where, t.kind) for t in found] == [("fault", "sure")]


def test_even_streams_raise_no_alarm(draw: np.random.Generator) -> None:
    reference = known(draw)
    wrong = [bool(streams_of(reference, window(draw))) for _ in range(100)]
    assert np.mean(wrong) <= 0.02
