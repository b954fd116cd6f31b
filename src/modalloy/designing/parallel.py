"""Parallel coordinates of designs: one scale for each variable, one line for each design."""

from collections.abc import Mapping
from typing import Any, assert_never

import numpy as np

from modalloy.designing.marks import ABOVE, LETTERS, plan_note
from modalloy.designing.summary import Point, Summary
from modalloy.designing.words import edge, headed
from modalloy.report.charts import FAINT, GREEN, INK, apart, chart, legend
from modalloy.report.figure import Figure, thin
from modalloy.report.html import short
from modalloy.report.lettering import clean, drawn
from modalloy.twin.twin import Twin
from modalloy.twin.variables import Categorical, Continuous, Free, Integer, Linked, Ordinal

MOST_PLANNED = 150  # lines
MOST_LEVELS = 6  # that are written at their places
PAPER = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
HOW = (
    "A line is a design. Each scale runs over all that its variable may be; where the lines of "
    "accepted designs meet, the search has settled."
)


def parallel(found: Summary, twin: Twin) -> Figure | None:
    """Variables of the accepted designs over those of the plan; None where there are none."""
    free = {n: v for n, v in twin.variables.items() if not isinstance(v, Linked)}
    chosen = found.accepted or tuple(p for p in found.tried if p.kept)
    accepted = tuple(p for p in chosen if p.part != "planned")
    if not accepted and not found.planned:
        return None
    names = list(free)
    canvas, axes = chart(5.2, 1.5 + 0.44 * len(names))
    y = np.arange(len(names))
    lines = (
        [found.planned[i] for i in thin(len(found.planned), MOST_PLANNED)] if found.planned else []
    )
    for at, (points, look, label) in enumerate(
        (
            (lines, {"color": FAINT, "lw": 0.7, "alpha": 0.22}, "planned"),
            (accepted, {"color": GREEN, "lw": 1.2, "alpha": 0.6}, "proposed and accepted"),
            (
                [found.best] if found.best else [],
                {"color": INK, "lw": 1.8, "marker": "o", "ms": 5},
                "best",
            ),
        )
    ):
        for point in points:
            axes.plot(places(free, point), y, **look, zorder=3 + at, label="_nolegend_")
        if points:  # its entry among the names, dark enough to be seen
            axes.plot([], [], **{**look, "alpha": 1.0}, label=label)
    write_scales(axes, free)
    units = {name: getattr(v, "unit", None) for name, v in free.items()}
    said = apart([headed(clean(n), units[n]) for n in names], LETTERS)
    axes.set_yticks(y, said)
    axes.set(ylim=(len(names) - 0.45, -0.55), xlim=(-0.04, 1.04))
    axes.set_xticks([])
    axes.tick_params(axis="y", labelcolor=INK)
    for side in axes.spines.values():
        side.set_visible(False)
    legend(axes, fontsize=8, **ABOVE)
    note = " ".join(filter(None, (HOW, plan_note(found))))
    return Figure("Variables of accepted designs beside the plan", "chart", drawn(canvas), note)


def places(free: Mapping[str, Free], point: Point) -> list[float]:
    """Where a design stands on each scale, from 0 to 1; NaN where it has no value."""
    return [place(v, point.values.get(name)) for name, v in free.items()]


def place(variable: Free, value: Any) -> float:
    """Where a value stands on its variable's scale."""
    if value is None:
        return float("nan")
    match variable:
        case Continuous():
            ends, at = np.array([variable.low, variable.high]), float(value)
            if variable.log:
                ends, at = np.log(ends), float(np.log(at))
            return float(np.clip((at - ends[0]) / (ends[1] - ends[0]), 0.0, 1.0))
        case Integer():
            return (value - variable.low) / (variable.high - variable.low)
        case Ordinal():
            return variable.levels.index(value) / (len(variable.levels) - 1)
        case Categorical():
            return variable.choices.index(value) / (len(variable.choices) - 1)
        case _:
            assert_never(variable)


def write_scales(axes: Any, free: Mapping[str, Free]) -> None:
    """The ends of every scale, or all levels where there are few."""
    for at, variable in enumerate(free.values()):
        axes.axhline(at, color="#b7c0c7", lw=0.8, zorder=1)
        for x, text in marks(variable):
            side = "left" if x == 0 else "right" if x == 1 else "center"
            look = {"fontsize": 7.5, "color": FAINT, "zorder": 9, "bbox": PAPER}
            axes.text(x, at + 0.14, text, ha=side, va="top", **look)


def marks(variable: Free) -> list[tuple[float, str]]:
    """What is written on a scale, and where."""
    match variable:
        case Continuous() | Integer():
            return [(0.0, edge(variable.low)), (1.0, edge(variable.high))]
        case Ordinal() | Categorical():
            levels = variable.levels if isinstance(variable, Ordinal) else variable.choices
            said = [short(clean(edge(level)), 14) for level in levels]
            last = len(said) - 1
            some = range(len(said)) if len(said) <= MOST_LEVELS else (0, last)
            return [(i / last, said[i]) for i in some]
        case _:
            assert_never(variable)
