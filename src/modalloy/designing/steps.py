"""What each state of a search did, a line a record, and which runs told nothing."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, assert_never

from modalloy.designing.records import Record, Records
from modalloy.designing.summary import Summary
from modalloy.designing.tables import called, reach_of
from modalloy.designing.words import amount, percent, say_count, say_runs
from modalloy.report.html import Markup, fold, join, table, tag
from modalloy.report.page import say_time

SEAL = 12  # signs of a record's SHA-256 that are shown
MOST_REASONS = 10
OPENED = 12  # records that are shown without a click


def steps(records: Records, found: Summary) -> Markup:
    """Every record in order."""
    rows = [
        (f"{r.number}. {r.state}", say_step(r, found), say_seconds(r), tag("small", r.seal[:SEAL]))
        for r in records.all
    ]
    head = ("state", "what it did", "time", "first signs of its SHA-256")
    said = (
        "Each record was written once and repeats the SHA-256 of the one before it, so that none "
        "can be changed, taken away or put in unseen."
    )
    whole = table(head, rows, numbers=2)
    listed = whole if len(rows) <= OPENED else fold(say_count(len(rows), "record"), whole)
    return join([tag("p", said, kind="quiet"), listed])


def say_seconds(record: Record) -> str:
    """How long a state took, where that was measured."""
    return say_time(record.facts["seconds"]) if "seconds" in record.facts else "–"


def say_step(record: Record, found: Summary) -> str:
    """One record in a sentence."""
    told = record.facts
    match record.state:
        case "plan":
            variables = say_count(len(told["variables"]), "variable")
            return f"{say_count(told['runs'], 'design')} over {variables}, {told['kind']}"
        case "simulate":
            return f"{span(told['runs'])}: {say_statuses(told['status'])}"
        case "ingest":
            rows = f"{told['rows']} rows, {told['failed']} failed"
            return f"{rows}, {told['feasible']} keep everything{say_best(told['best'], found)}"
        case "train":
            scores = [
                f"{n} {s['r2']:.3f}" for n, s in told["scores"].items() if s.get("r2") is not None
            ]
            of = f"; R² {', '.join(scores)}" if scores else ""
            return f"{called(told['surrogate'])} on {told['rows']} rows{of}"
        case "calibrate":
            return say_margin(told)
        case "propose":
            sure, out = sum(told["certified"]), sum(told["extrapolates"])
            end = "in the end" if told["final"] else f"in round {told['round']}"
            flagged = f", {out} extrapolate" if out else ""
            return f"{say_count(len(told['designs']), 'design')} {end}, {sure} certified{flagged}"
        case "verify":
            kept = f"{sum(told['feasible'])} of {len(told['feasible'])} keep everything"
            return f"{span(told['runs'])}: {kept}; {say_statuses(Counter(told['status']))}"
        case "infill":
            left = f"{told['added']} rows added, {say_runs(told['left'])} left"
            return f"{left}{say_best(told['best'], found)}"
        case "accept":
            keep, ran = say_count(told["keep"], "design"), say_runs(told["runs"])
            proposed = f"{told['proposed']} proposed in the end"
            return f"{keep} shown to keep everything, {proposed}; {ran} in all"
        case _:
            assert_never(record.state)


def say_margin(told: Mapping[str, Any]) -> str:
    """How far inside its limits a proposal has to lie, and from how many rows that is known."""
    reach = reach_of(told)
    if reach is None:
        return "no margin is needed, or none is known"
    rows = f"{say_count(told['planned'], 'planned row')} and {told['verified']} verified"
    return f"{reach:.2f} deviations for {percent(told['confidence'])}, from {rows}"


def span(runs: list[int]) -> str:
    """First and last run."""
    if runs[1] < runs[0]:
        return "no run"
    return f"run {runs[0]}" if runs[0] == runs[1] else f"runs {runs[0]} to {runs[1]}"


def say_statuses(counts: Mapping[str, int]) -> str:
    """How many runs ended in which way."""
    return ", ".join(f"{n} {status}" for status, n in counts.items() if n) or "none"


def say_best(best: Mapping[str, Any] | None, found: Summary) -> str:
    """The best so far by the first objective."""
    if not best or not found.objectives:
        return ""
    goal = found.objectives[0]
    value = best["outputs"].get(goal.output, best["values"].get(goal.output))
    return f"; best {goal.output} {amount(value, goal.unit)} (run {best['run']})"


def reasons(found: Summary) -> Markup:
    """Why runs told nothing, the commonest first; nothing where all told something."""
    bad = [p for p in found.runs if not p.outputs and p.run is not None]
    if not bad:
        return Markup("")
    counts = Counter((p.status, p.reason or "no reason is at hand") for p in bad)
    rows = [
        (status, reason, str(count)) for (status, reason), count in counts.most_common(MOST_REASONS)
    ]
    more = len(counts) - len(rows)
    end = tag("p", f"And {more} more reasons.", kind="quiet") if more > 0 else ""
    return join(
        [tag("h3", "Runs that told nothing"), table(("how", "why", "runs"), rows, numbers=2), end]
    )
