"""Charts of what the surrogate foretold of each proposal over what its run then told."""

from collections.abc import Iterator, Sequence

import numpy as np

from modalloy.designing.marks import BROKEN, KEPT, LETTERS, draw_limits, limits, named, told
from modalloy.designing.summary import Point, Summary
from modalloy.designing.words import say_count
from modalloy.report.charts import BLUE, FAINT, chart, legend
from modalloy.report.figure import Figure
from modalloy.report.html import short
from modalloy.report.lettering import drawn

MOST = 12  # figures
INSIDE = {**KEPT, "color": BLUE, "ms": 5.5}


def foretold(found: Summary) -> list[Figure]:
    """Every figure that something is asked of and something was foretold of."""
    figures = [foretold_of(found, name) for name in found.figures]
    return [f for f in figures if f is not None][:MOST]


def foretold_of(found: Summary, name: str) -> Figure | None:
    """One figure of every proposal with its interval; None where nothing was foretold of it."""
    points = list(pairs(found.tried, name))
    if not points:
        return None
    canvas, axes = chart(4.6, 4.2)
    true, low, middle, high = (np.array(part) for part in zip(*points, strict=True))
    kept = (low <= true) & (true <= high)
    least, most = float(np.min([true, low])), float(np.max([true, high]))
    span = most - least or 0.1 * abs(most) or 1.0
    near = [e for e in limits(found, name) if least - span <= e <= most + span]
    ends = min([least, *near]) - 0.05 * span, max([most, *near]) + 0.05 * span
    axes.plot(ends, ends, color=FAINT, lw=1, ls=":", label="exact")
    for which, look, label in ((kept, INSIDE, "inside its interval"), (~kept, BROKEN, "outside")):
        if which.any():
            axes.vlines(true[which], low[which], high[which], color=look["color"], lw=1, alpha=0.5)
            axes.plot(true[which], middle[which], **look, label=label)
    if near:
        draw_limits(axes.axvline, found, name)
    axes.set(xlabel=f"{named(found, name)}, verified", ylabel="foretold", xlim=ends, ylim=ends)
    legend(axes, fontsize=8)
    note = f"{kept.sum()} of {say_count(len(true), 'verified value')} inside their interval."
    if len(near) < len(limits(found, name)):
        note += " Its limit lies outside this frame."
    return Figure(short(name, LETTERS), "chart", drawn(canvas), note)


def pairs(points: Sequence[Point], name: str) -> Iterator[tuple[float, float, float, float]]:
    """Verified value, low, middle and high of every proposal that has all of them."""
    for p in points:
        ends = p.foretold.get(name)
        if ends and None not in ends and told(p, name):
            yield p.number(name), ends[0], ends[1], ends[2]
