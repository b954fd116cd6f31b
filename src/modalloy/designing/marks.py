"""How runs are marked in the charts of a search: a shape and a colour for each kind of run."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.axes import Axes

from modalloy.designing.summary import Point, Summary
from modalloy.designing.words import edge, headed
from modalloy.report.charts import BLUE, FAINT, GREEN, INK, RED
from modalloy.report.html import short
from modalloy.report.lettering import clean

Look = dict[str, Any]  # options of matplotlib

LETTERS = 40  # of a name at an axis
AROUND = 0.3  # of what is framed, left free on every side
# Shapes say the same as colours, so that nobody needs to tell the colours apart.
PLANNED: Look = {"marker": ".", "color": FAINT, "ms": 4, "alpha": 0.6, "ls": "none"}
PLANNED_KEPT: Look = {"marker": "s", "mec": BLUE, "mfc": "white", "ms": 5.5, "ls": "none"}
BROKEN: Look = {"marker": "x", "color": RED, "ms": 6, "mew": 1.7, "ls": "none"}
KEPT: Look = {"marker": "o", "color": GREEN, "mec": "white", "mew": 0.4, "ms": 6.5, "ls": "none"}
BEST: Look = {"marker": "o", "mec": INK, "mfc": "none", "ms": 13, "mew": 1.6, "ls": "none"}
ABOVE: Look = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 2}  # a legend's place
KINDS = (
    ("planned, breaks a limit", PLANNED),
    ("planned, keeps everything", PLANNED_KEPT),
    ("proposed, breaks a limit", BROKEN),
    ("proposed, keeps everything", KEPT),
)


def draw_kinds(
    axes: Axes, found: Summary, place: Callable[[Point], tuple[float, float]], *names: str
) -> None:
    """Every run that told the figures of these names, in the shape and colour of its kind.

    place: where a run stands, as (x, y).
    """
    planned = [p for p in found.planned if told(p, *names)]
    tried = [p for p in found.tried if told(p, *names)]
    if not found.constraints:  # nothing can be broken
        planned, tried = [p._replace(kept=False) for p in planned], [p for p in tried if p.kept]
    both = (planned, tried)
    groups = [[p for p in points if p.kept == kept] for points in both for kept in (False, True)]
    for (label, look), points in zip(KINDS, groups, strict=True):
        if points:
            said = label if found.constraints else label.partition(",")[0]
            axes.plot(*zip(*map(place, points), strict=True), **look, label=said)


def draw_limits(draw: Callable[..., object], found: Summary, name: str) -> None:
    """A dashed line where a constraint on a figure ends."""
    for bound in found.constraints:
        for end in (bound.low, bound.high):
            if bound.output == name and math.isfinite(end):
                label = f"limit {edge(end, bound.unit)} of {short(clean(name), 24)}"
                draw(end, color=RED, lw=1.1, ls="--", label=label)


def limits(found: Summary, name: str) -> list[float]:
    """Where constraints on a figure end."""
    ends = [e for b in found.constraints if b.output == name for e in (b.low, b.high)]
    return [e for e in ends if math.isfinite(e)]


def framed(values: Sequence[float]) -> tuple[float, float]:
    """Ends of an axis that shows some values, with room around them."""
    low, high = min(values), max(values)
    room = AROUND * (high - low) or 0.1 * abs(low) or 1.0
    return low - room, high + room


def told(point: Point, *names: str) -> bool:
    """Whether a run told some figures."""
    return bool(point.outputs) and all(math.isfinite(point.number(n)) for n in names)


def named(found: Summary, name: str) -> str:
    """A figure with its unit at an axis."""
    return headed(short(clean(name), LETTERS), found.figures[name])


def plan_note(found: Summary) -> str:
    """That the rows of the plan are not at hand."""
    return "" if found.whole_plan else "Of the plan its best design alone is at hand."
