"""Tables of a search for designs: the best beside the plan, all proposals, what the model knows."""

from collections.abc import Mapping, Sequence
from typing import Any

from modalloy.designing.pictures import in_order
from modalloy.designing.records import Records
from modalloy.designing.summary import Part, Point, Summary
from modalloy.designing.words import (
    amount,
    edge,
    headed,
    percent,
    say_goal,
    say_interval,
    say_run,
    say_run_stands_in,
)
from modalloy.judge.wording import brief, fixed
from modalloy.report.html import Markup, fold, join, table, tag

FIRST = 15  # accepted designs that are shown without a click
MOST = 100  # proposals
FROM: Mapping[Part, str] = {"planned": "plan", "infill": "search", "final": "last proposals"}
KNOWS = (
    "R² of rows that were not learned from: 1 is exact, 0 as good as always saying the mean. "
    "Coverage: how many of their values lie inside the {} foretold of them."
)


def beside(found: Summary) -> Markup:
    """The best design beside the best of the plan, or else the one that comes nearest."""
    best, planned = found.best or found.nearest(), found.best_planned
    if best is None:
        return Markup("")
    word = "best" if found.best else "nearest"
    heads, points = [f"{word}, {say_run(best)}"], [best]
    if planned is not None and planned.run != best.run:
        heads.append(f"best of the plan, {say_run(planned)}")
        points.append(planned)
    rows = [(tag("b", n), wish(found, n), *cells(points, n, u)) for n, u in found.figures.items()]
    units = found.units
    rest = [n for n in best.values if n not in found.figures]
    rows += [
        (n, span(found.plan["variables"].get(n)), *cells(points, n, units.get(n))) for n in rest
    ]
    return table(("figure or variable", "asked or allowed", *heads), rows, numbers=2)


def cells(points: Sequence[Point], name: str, unit: str | None) -> list[str]:
    """One figure or variable of each design."""
    return [amount(p.outputs.get(name, p.values.get(name)), unit) for p in points]


def wish(found: Summary, name: str) -> str:
    """All that is asked of a figure."""
    said = [say_goal(o) for o in found.objectives if o.output == name]
    return ", ".join([*said, *(c.text for c in found.constraints if c.output == name)])


def span(told: Mapping[str, Any] | None) -> str:
    """What a variable may be."""
    if not told or told.get("choices", ()) is None:
        return "follows from others"
    if "choices" in told:
        return edge(", ".join(edge(c) for c in told["choices"]), told.get("unit"))
    return f"{edge(told['low'])} to {edge(told['high'], told.get('unit'))}"


def accepted(found: Summary) -> Markup:
    """Every accepted design with its figures and variables, the best first."""
    units, on = found.units, set(found.end.get("front", ()))
    points = in_order(found)
    if not points:
        return tag("p", "None.", kind="quiet")
    several = len(found.objectives) > 1
    names = list(found.figures) + [n for n in points[0].values if n not in found.figures]
    rows = [
        (
            tag("strong", f"{say_run(p)} (best)") if i == 0 else say_run(p),
            *(["yes" if p.run in on else "no"] if several else []),
            FROM[p.part],
            "yes" if p.extrapolates else "no",
            *(amount(p.outputs.get(n, p.values.get(n)), None) for n in names),
        )
        for i, p in enumerate(points)
    ]
    front = ["on the front"] if several else []
    head = ("design", *front, "from", "extrapolates", *(headed(n, units.get(n)) for n in names))
    rest = rows[FIRST:]
    more = fold(f"{len(rest)} more", table(head, rest)) if rest else ""
    said = "Exact values are in the last record of the search."
    if (keep := found.end["keep"]) > len(points):
        said = f"These are the best of {keep} designs that keep everything. {said}"
    exact = tag("p", said, kind="quiet")
    return join([table(head, rows[:FIRST]), more, exact])


def proposed(found: Summary) -> Markup:
    """Every design proposed in the end: what was foretold, and what came of it."""
    names = [n for n in found.figures if any(n in p.foretold for p in found.proposed)]
    ran = any(p.run is not None for p in found.proposed)
    rest = [] if ran else [n for n in found.proposed[0].values if n not in names]
    units = found.units
    rows = []
    for at, p in enumerate(found.proposed[:MOST], start=1):
        ways = (n for n in ("extrapolates",) if p.extrapolates)
        flags = ", ".join([*([] if p.certified else ["not certified"]), *ways])
        verdict = ("kept" if p.kept else "broken" if p.outputs else p.status) if ran else "not run"
        figures = [join([amount_foretold(p, n), before(p, n)]) for n in names]
        rows.append(
            (
                f"{at}, {say_run(p)}",
                verdict,
                flags or "–",
                *figures,
                *(amount(p.values[n], None) for n in rest),
            )
        )
    head = [headed(n, units.get(n)) for n in (*names, *rest)]
    ends = f"the middle of what {'was' if ran else 'is'} foretold between the ends of its "
    ends += f"{say_interval(found)}."
    said = f"Below each verified figure: {ends}" if ran else f"{ends[0].upper()}{ends[1:]}"
    whole = table(("design", "what was asked", "flags", *head), rows, numbers=3)
    left = len(found.proposed) - len(rows)
    more = tag("p", f"And {left} more in the records of the search.", kind="quiet")
    return join([tag("p", said, kind="quiet"), whole, more if left else ""])


def before(point: Point, name: str) -> Markup | str:
    """What was foretold, small below what came true."""
    ends = point.foretold.get(name)
    return tag("small", " · ".join(brief(e) for e in ends)) if ends else ""


def amount_foretold(point: Point, name: str) -> str:
    """What came true; nothing where the design was not run."""
    return (
        "" if point.run is None else amount(point.outputs.get(name, point.values.get(name)), None)
    )


def knows(records: Records, found: Summary) -> Markup:
    """How well the surrogate answers, and the margin that keeps its promise."""
    trained = records.last("train")
    if trained is None:
        return tag("p", "Nothing has been learned yet.", kind="quiet")
    told, first = trained.facts, records.of("train")[0].facts["scores"]
    rows = [
        (
            name,
            score(first.get(name, {}).get("r2")),
            score(own["r2"]),
            amount(own["rmse"], found.units.get(name)),
            share(own["coverage"]),
        )
        for name, own in told["scores"].items()
    ]
    head = ("figure", "R² at first", "R² at last", "root mean square error", "coverage")
    kind, count = called(told["surrogate"]), fixed(told["rows"], 0)
    said = [f"A {kind} that learned from {count} runs stands in for the simulator."]
    lines = [tag("p", line) for line in say_run_stands_in(found) or said]
    parts = [
        *lines,
        table(head, rows),
        tag("p", KNOWS.format(say_interval(found)), kind="quiet"),
        margin(records),
    ]
    compared = records.of("train")[0].facts["compared"]
    if len(compared) > 1:
        lines = [(called(kind), fixed(value, 3)) for kind, value in compared.items()]
        scores = table(("surrogate", "log score, larger is better"), lines)
        parts += [tag("h3", "Surrogates compared"), scores]
    return join(parts)


def called(surrogate: str) -> str:
    """A surrogate as people write it."""
    return surrogate.replace("_", " ").replace("gaussian", "Gaussian")


def margin(records: Records) -> Markup:
    """How far inside its limits a proposal has to lie, and how that was at first."""
    known = [r.facts for r in records.of("calibrate")]
    told = [(facts, reach) for facts in known if (reach := reach_of(facts)) is not None]
    if not told:
        return Markup("")
    (_, first), (last, now) = told[0], told[-1]
    rows = f"{last['planned']} planned rows and {last['verified']} verified proposals"
    said = (
        f"To keep all limits at once as surely as {percent(last['confidence'])}, a proposal has to "
        f"lie {fixed(now, 2)} of the surrogate's deviations inside each of them"
    )
    before = f"; at first {fixed(first, 2)}" if len(told) > 1 else ""
    return tag("p", f"{said}{before}. That was measured on {rows}, each foretold unseen.")


def reach_of(told: Mapping[str, Any]) -> float | None:
    """The largest margin of a record of `calibrate`, in deviations; None where it has none."""
    return max((m for m in told["margins"].values() if m is not None), default=None)


def score(value: float | None, digits: int = 3) -> str:
    """A figure without a unit; a dash where there is none."""
    return "–" if value is None else fixed(value, digits)


def share(value: float | None) -> str:
    """A share; a dash where there is none."""
    return "–" if value is None else percent(value)
