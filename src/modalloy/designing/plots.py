"""Charts of a search for designs: the front of what was found, and the best so far by runs."""

from itertools import combinations

import numpy as np
from matplotlib.axes import Axes

from modalloy.designing.marks import (
    ABOVE,
    BEST,
    LETTERS,
    draw_kinds,
    draw_limits,
    framed,
    limits,
    named,
    plan_note,
    told,
)
from modalloy.designing.summary import Bound, Sought, Summary
from modalloy.designing.words import say_count
from modalloy.report.charts import FAINT, GREEN, INK, chart, legend
from modalloy.report.figure import Figure
from modalloy.report.html import short
from modalloy.report.lettering import drawn

MOST = 3  # pairs of objectives that are drawn, and objectives by run


def front(found: Summary) -> list[Figure]:
    """With several objectives each pair of them; with one, it over the tightest constraint."""
    goals = [o for o in found.objectives if any(told(p, o.output) for p in found.runs)]
    if len(goals) > 1:
        return [over(found, x.output, y) for x, y in list(combinations(goals, 2))[:MOST]]
    bound = tightest(found)
    return [over(found, bound.output, goals[0])] if goals and bound else []


def tightest(found: Summary) -> Bound | None:
    """The constraint that the best design, or else the nearest one, has least room in."""
    point = found.best or found.nearest()
    if point is None:
        return None
    goals = {o.output for o in found.objectives}
    known = [b for b in found.constraints if told(point, b.output) and b.output not in goals]
    room = [b.room(point.number(b.output)) / found.scale(b) for b in known]
    return known[int(np.argmin(room))] if known else None


def over(found: Summary, x: str, goal: Sought) -> Figure:
    """An objective of every run over another figure."""
    y = goal.output
    canvas, axes = chart(5.2, 4.6)
    draw_kinds(axes, found, lambda p: (p.number(x), p.number(y)), x, y)
    draw_front(axes, found)
    if (best := found.best) and told(best, x, y):
        axes.plot([best.number(x)], [best.number(y)], **BEST, label="best")
    draw_limits(axes.axvline, found, x)
    draw_limits(axes.axhline, found, y)
    note = frame(axes, found, x, y)
    axes.set(xlabel=named(found, x), ylabel=named(found, y))
    legend(axes, fontsize=8, **ABOVE)
    title = f"{short(y, LETTERS)} over {short(x, LETTERS)}"
    return Figure(title, "chart", drawn(canvas), " ".join(filter(None, (note, plan_note(found)))))


def draw_front(axes: Axes, found: Summary) -> None:
    """The edge of what was reached, a step from each design of the front to the next.

    Of two objectives alone: the front of more has no such edge on paper.
    """
    if len(found.objectives) != 2:
        return
    x, y = found.objectives
    on = set(found.end.get("front", ()))
    ends = sorted((p.number(x.output), p.number(y.output)) for p in found.accepted if p.run in on)
    if len(ends) > 1:
        where = "post" if x.minimise else "pre"
        line = {"color": GREEN, "lw": 1.3, "zorder": 1.5, "label": "front"}
        axes.step(*zip(*ends, strict=True), where=where, **line)


def frame(axes: Axes, found: Summary, x: str, y: str) -> str:
    """Frame what was proposed, the best of the plan and the limits; says what lies outside."""
    some = (*found.tried, *filter(None, (found.best, found.best_planned, found.nearest())))
    inside = [p for p in some if told(p, x, y)]
    if not inside:
        return ""
    ends = {n: framed([p.number(n) for p in inside] + limits(found, n)) for n in (x, y)}
    axes.set(xlim=ends[x], ylim=ends[y])
    known = [p for p in found.planned if told(p, x, y)]
    return outside(sum(any(not within(p.number(n), ends[n]) for n in (x, y)) for p in known))


def best_so_far(found: Summary) -> list[Figure]:
    """Each objective in the order of runs, and the best until each that keeps everything."""
    known = [o for o in found.objectives if any(told(p, o.output) for p in found.runs)]
    return [by_run(found, goal) for goal in known[:MOST]]


def by_run(found: Summary, goal: Sought) -> Figure:
    """One objective, run after run."""
    canvas, axes = chart(5.2, 4.2)
    name = goal.output
    draw_kinds(axes, found, lambda p: (float(p.run or 0), p.number(name)), name)
    kept = sorted((p.run or 0, p.number(name)) for p in found.runs if p.kept and told(p, name))
    line: list[float] = []
    if kept:
        runs, values = (list(part) for part in zip(*kept, strict=True))
        line = (np.minimum if goal.minimise else np.maximum).accumulate(values).tolist()
        ends = [*runs, max(p.run or 0 for p in found.runs)], [*line, line[-1]]
        axes.step(*ends, where="post", color=INK, lw=1.6, zorder=4, label="best so far")
    if failed := [p.run or 0 for p in found.runs if not p.outputs]:
        bottom = {"transform": axes.get_xaxis_transform(), "clip_on": False, "color": INK}
        zeros = [0.0] * len(failed)
        axes.plot(failed, zeros, ls="none", marker="|", ms=9, label="told nothing", **bottom)
    if found.tried and found.planned:
        end = (found.tried[0].run or 0) - 0.5
        axes.axvline(end, color=FAINT, lw=1.0, ls=":", label="end of the plan")
    shown = [p.number(name) for p in found.tried if told(p, name)] + line
    known = [p.number(name) for p in found.planned if told(p, name)]
    ends = framed(shown or known)
    axes.set(xlabel="run", ylabel=named(found, name), ylim=ends)
    axes.xaxis.get_major_locator().set_params(integer=True)
    legend(axes, fontsize=8, **ABOVE)
    notes = outside(sum(not within(v, ends) for v in known)), plan_note(found)
    title = f"Best {short(name, LETTERS)} so far"
    return Figure(title, "chart", drawn(canvas), " ".join(filter(None, notes)))


def within(value: float, ends: tuple[float, float]) -> bool:
    """Whether a value stands between the ends of an axis."""
    return ends[0] <= value <= ends[1]


def outside(count: int) -> str:
    """How many designs of the plan a chart leaves out; nothing where it shows all."""
    lie = "lies" if count == 1 else "lie"
    return f"{say_count(count, 'planned design')} {lie} outside this frame." if count else ""
