"""What a search for designs found, in sentences: for the terminal and for its page."""

from collections import Counter
from typing import Any

import numpy as np

from modalloy.designing.records import Records
from modalloy.designing.summary import Bound, Point, Sought, Summary
from modalloy.judge.wording import brief, fixed, is_number
from modalloy.report.charts import wilson

UNCERTIFIED = (
    "None of the proposed designs is certified: no design was found that keeps everything with the "
    "margin that is needed. These are the likeliest ones."
)
UNSURE = (
    "No design is accepted: the proposals that keep everything were not certified before they were "
    "run, and where hidden parameters differ from run to run, one run may be luck."
)


def say_all(found: Summary, records: Records) -> list[str]:
    """Everything that a reader should know first, a sentence each."""
    lines = [say_asked(found), *say_run_stands_in(found), *say_warnings(found)]
    lines += [say_best(found), say_gain(found)]
    return [line for line in (*lines, say_verified(found), say_failed(records)) if line]


def say_asked(found: Summary) -> str:
    """What was sought, of which twin or run, in how many runs or rows."""
    wishes = [f"{'minimise' if o.minimise else 'maximise'} {o.output}" for o in found.objectives]
    said = ", ".join(wishes) or "designs"
    if found.constraints:
        said += " such that " + " and ".join(c.text for c in found.constraints)
    runs = found.end.get("runs")
    noun = "row" if found.untried else "run"
    ended = f"; {say_count(runs, noun)} in all" if runs is not None else ""
    return f"Asked of {found.plan['twin']}: {said}{ended}."


def say_run_stands_in(found: Summary) -> list[str]:
    """That a trained run foretells designs, where its errors are known from, and what it lacks."""
    told = found.plan.get("run")
    if told is None:
        return []
    name, left_out, unsaid = told["name"], told["left_out"], told["unsaid"]
    if found.plan["asked"]["twin"] is None:
        said = (
            f"The run {name} foretells designs. Its errors are those on {told['telling']} rows "
            f"that it has not learned from ({told['source']})"
        )
        said += ", by which its training was stopped" if "validation" in told["source"] else ""
        lines = [f"{said}."]
    else:
        those = "the rows given" if found.untried else "designs that were run here"
        lines = [f"The run {name} stands in for the simulator. Its errors are those on {those}."]
    if left_out:
        lines.append(
            f"Designs have no {', '.join(left_out)}: the run reads them as rows that lack this, "
            "and its errors were measured so, too."
        )
    if unsaid:
        each = ", ".join(f"{n} ({found.units.get(n)})" for n in unsaid)
        lines.append(f"The run's job says no unit of {each}: the twin's is taken.")
    return lines


def say_warnings(found: Summary) -> list[str]:
    """What must not be overlooked: that nothing was found, or less than was promised."""
    said = []
    if not found.end:
        said.append("The search has not ended; this is what it has found so far.")
    elif found.tried and not found.end["feasible"]:
        said.append(say_nothing(found))
    elif found.tried and not found.accepted:
        said.append(UNSURE)
    elif short := say_short(found):
        said.append(short)
    elif found.untried and found.proposed and not any(p.certified for p in found.proposed):
        said.append(UNCERTIFIED)
    if unproven := say_unproven(found):
        said.append(unproven)
    if found.passed:
        one = found.passed == 1
        said.append(
            f"{say_count(found.passed, 'row')} of the table {'was' if one else 'were'} passed "
            f"over: {'it lacks' if one else 'they lack'} a variable, or an output that is asked "
            "about."
        )
    if flagged := found.end.get("flagged"):
        said.append(
            f"{say_count(flagged, 'proposed design')} {'lies' if flagged == 1 else 'lie'} where "
            "the surrogate has learned from no rows nearby: what it promises there is a guess."
        )
    return said


def say_nothing(found: Summary) -> str:
    """That no proposal keeps everything, and which design does or comes nearest."""
    if found.best is not None:
        told = f"{say_run(found.best)}, made before, did in its one run"
        none = "None of the designs proposed in the end keeps everything that was asked"
        if not found.end["proposed"]:
            none = "No design could be proposed in the end"
        return f"{none}; {told}."
    said = (
        f"No design that keeps everything that was asked was found in {say_runs(end_runs(found))}."
    )
    nearest = found.nearest()
    if nearest is None:
        return f"{said} No run has told all that was asked about, so none can be said to be near."
    missed = [
        say_missed(c, nearest) for c in found.constraints if c.outside(nearest.number(c.output))
    ]
    of = "Run" if found.whole_plan else "Of the proposals run"
    return f"{said} {of} {nearest.run} comes nearest: {', '.join(missed)}."


def say_missed(bound: Bound, point: Point) -> str:
    """By how much a design breaks a bound."""
    value = point.number(bound.output)
    off = amount(bound.outside(value), bound.unit)
    return f"{bound.output} {amount(value, bound.unit)}, which is {off} off ({bound.text})"


def say_short(found: Summary) -> str:
    """That fewer proposals keep everything than was promised; nothing where enough do."""
    asked, (_, high), share = promised(found), interval(found), found.end.get("verified")
    if share is None or share >= asked or not promises(found):
        return ""
    said = f"Fewer proposed designs keep everything than the {percent(asked)} that were promised"
    if high >= asked:
        return f"{said}; as few as these, that may be chance."
    return f"{said}, more than chance explains: do not rely on the promise here."


def say_unproven(found: Summary) -> str:
    """That too few proposals were verified before the last ones that were picked as these are;
    nothing where they were enough, or nothing was run or promised.
    """
    sure, needed = found.margin.get("certified", 0), found.margin.get("needed", 0)
    if not (found.end and found.tried and promises(found)) or sure >= needed:
        return ""
    verified = found.margin["verified"]
    before = "No proposal was verified before the last ones"
    if verified:
        before = f"Of {say_count(verified, 'proposal')} verified before the last ones {sure} "
        before += f"{'was' if sure == 1 else 'were'} certified, as these are"
    mends = " A larger budget mends that." if found.objectives else ""  # else all is proposed once
    return (
        f"{before}; a promise of {percent(promised(found))} needs {needed} such. The margin comes "
        f"from others as well, which say little of designs that were picked to be good.{mends}"
    )


def promises(found: Summary) -> bool:
    """Whether anything was promised of the designs proposed in the end: that the margin certified
    some of them."""
    return bool(found.constraints) and any(p.certified for p in found.proposed)


def say_best(found: Summary) -> str:
    """The best design with its figures, how it was chosen where there are several objectives."""
    best = found.best
    if best is None:
        return ""
    of = {0: "Design with most room to its limits", 1: "Best design"}
    named = of.get(len(found.objectives), "Best compromise between the objectives")
    if found.untried:
        return f"Best of the rows given: {say_figures(found, best)}."
    if found.end and found.tried and not found.accepted:
        named = "Best of all runs, not accepted"
    return f"{named}, {say_run(best)}: {say_figures(found, best)}."


def say_figures(found: Summary, point: Point) -> str:
    """Objectives and constrained figures of a design with their units."""
    return ", ".join(f"{n} {amount(point.number(n), u)}" for n, u in found.figures.items())


def say_verified(found: Summary) -> str:
    """How many proposals keep everything, counted by runs, beside what was promised."""
    proposed = found.end.get("proposed")
    if not found.end or not proposed:
        return ""
    if not found.tried:
        return (
            f"{say_count(proposed, 'design')} {'is' if proposed == 1 else 'are'} proposed. None "
            "has been run: make and measure them, then go on with what came of them. Their margin "
            "comes from rows that nobody picked: designs that were picked may break limits far "
            "more often than was promised, until some have been measured and learned from."
        )
    kept = found.end["feasible"]
    said = f"{kept} of {say_count(proposed, 'proposed design')} {'keeps' if kept == 1 else 'keep'} "
    said += "everything that was asked, verified by a run of each"
    if not found.constraints:
        return f"{said}; nothing but a run without fault was asked."
    low, high = (percent(end) for end in interval(found))
    promise = f"at least {percent(promised(found))} were promised"
    if not promises(found):
        promise = "none of them was certified, so that nothing was promised"
    return (
        f"{said}; {promise}. That is "
        f"{percent(found.end['verified'])}, between {low} and {high} with 95 % certainty for "
        f"designs like these{say_others(found)}."
    )


def say_others(found: Summary) -> str:
    """What became of the proposals that do not keep everything."""
    others = [p for p in found.proposed if not p.kept]
    silent = sum(not p.outputs for p in others)
    each = ((silent, "told nothing"), (len(others) - silent, "broke a limit"))
    said = " and ".join(f"{count} {what}" for count, what in each if count)
    return f"; {said}" if said else ""


def say_gain(found: Summary) -> str:
    """The best design beside the best of the plan."""
    best, before = found.best, found.best_planned
    if found.untried:
        none = f"None of the {found.plan['runs']} rows given keeps everything that was asked."
        return none if best is None else ""
    planned = f"the {found.plan['runs']} planned designs"
    if before is None:
        none = found.plan_kept == 0
        return f"None of {planned} keeps everything that was asked." if none else ""
    if best is not None and best.run == before.run:
        return f"It is the best of {planned}; no proposal that was run is better."
    if not found.objectives:
        return f"Of {planned} {say_run(before)} keeps everything too: {say_figures(found, before)}."
    if len(found.objectives) > 1:
        first = found.objectives[0].output
        return f"Best {first} of {planned}, {say_run(before)}: {say_figures(found, before)}."
    if best is None:
        return f"Best of {planned}, {say_run(before)}: {say_figures(found, before)}."
    goal = found.objectives[0]
    old, new = before.number(goal.output), best.number(goal.output)
    told = f"{planned} ({amount(old, goal.unit)}, {say_run(before)})"
    if goal.sign * (old - new) <= 0:
        return f"It is no better than the best of {told}."
    part = f" ({fixed(100 * abs(new - old) / abs(old), 1)} %)" if old else ""
    word = "less" if goal.minimise else "more"
    off = f"{amount(abs(new - old), goal.unit)}{part} {word}"
    return f"Its {goal.output} is {off} than that of the best of {told}."


def say_failed(records: Records) -> str:
    """Runs that failed, by how."""
    counts = statuses(records)
    bad = {status: n for status, n in counts.items() if status != "ok" and n}
    if not bad:
        return ""
    each = ", ".join(f"{n} {status}" for status, n in bad.items())
    return f"{sum(bad.values())} of {say_runs(sum(counts.values()))} told nothing ({each})."


def statuses(records: Records) -> Counter[str]:
    """How many runs ended in which way."""
    counts: Counter[str] = Counter({"ok": 0})
    for record in records.of("simulate"):
        counts.update(record.facts["status"])
    for record in records.of("verify"):
        counts.update(record.facts["status"])
    return counts


def promised(found: Summary) -> float:
    """The share of proposals that should keep everything."""
    return found.plan["asked"]["confidence"]


def interval(found: Summary) -> tuple[float, float]:
    """Wilson's 95 % interval of the share of proposals that keep everything."""
    share, count = np.array([found.end.get("verified") or 0.0]), found.end.get("proposed") or 1
    low, high = wilson(share, np.array([float(count)]))
    return max(0.0, float(low[0])), min(1.0, float(high[0]))


def end_runs(found: Summary) -> int:
    """How many runs the search took."""
    return found.end.get("runs") or len(found.runs)


def say_run(point: Point) -> str:
    """Which run a design is; that it has none."""
    return "not run" if point.run is None else f"run {point.run}"


def say_runs(count: int) -> str:
    """So many runs."""
    return say_count(count, "run")


def say_count(count: int, noun: str) -> str:
    """So many of something."""
    return f"{fixed(count, 0)} {noun}{'' if count == 1 else 's'}"


def percent(share: float) -> str:
    """A share as per cent, without a decimal that says nothing."""
    return f"{fixed(100 * share, 1).removesuffix('.0')} %"


def amount(value: Any, unit: str | None) -> str:
    """A value with its unit, names as they are; a dash where there is none."""
    if not is_number(value):
        return "–" if value is None else str(value)
    said = str(value) if isinstance(value, int) and abs(value) < 10_000 else brief(value)
    return said if unit in (None, "", "1") or said == "–" else f"{said} {unit}"


def edge(value: Any, unit: str | None = None) -> str:
    """A limit, an end or a level as it was given, with its unit."""
    said = f"{value:g}".replace("-", "−") if is_number(value) else value
    return amount(said, None) + ("" if unit in (None, "", "1") else f" {unit}")


def headed(name: str, unit: str | None) -> str:
    """A name with its unit behind it, as a table's head or an axis has it."""
    return name if unit in (None, "", "1") else f"{name} [{unit}]"


def say_interval(found: Summary) -> str:
    """Which interval is shown of what was foretold."""
    assert found.shown is not None, "nothing is foretold before anything is learned"
    return f"{percent(found.shown)} interval"


def say_goal(goal: Sought) -> str:
    """What is wished of a figure."""
    return f"as {'small' if goal.minimise else 'large'} as can be"
