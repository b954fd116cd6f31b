"""Where the answers of a run are not to be trusted, a sentence each."""

from collections.abc import Iterator

from modalloy.checks.finding import some
from modalloy.judge.report import Report
from modalloy.judge.wording import FEW_GROUPS, better, label, say, say_interval
from modalloy.readers.number import NumberReader
from modalloy.readers.targets.target import names_of
from modalloy.readers.time import TimeReader
from modalloy.report.page import say_finding
from modalloy.report.taskpage import OWN, say_drawn
from modalloy.runs.run import Run

FEW_ROWS = 10  # test rows of a class below which its figures say little


def doubts(run: Run, report: Report) -> Iterator[str]:
    """What the check, the figures and the training rows say against the model."""
    yield from (say_finding(f) for f in report.findings if f.get("level") == "warning")
    if few_groups(report):
        yield say_drawn(report)
    for task in report.tasks:
        known = names_of(run.targets[task]) or []
        counts: dict[str, int] = report.about.get(task, {}).get("classes") or {}
        few = [f"{n} ({c})" for n, c in counts.items() if c < FEW_ROWS and n in known]
        if few:
            yield f"{task}: too few test rows to know how it does on {some(few)}."
        if new := [n for n in counts if n not in known]:
            yield f"{task}: it never answers {some(new)}, which no training row had."
        yield from say_without(report, task)
        yield from say_weakest(report, task)
    if any(isinstance(r, NumberReader | TimeReader) for r in run.readers.values()):
        yield "Numbers and dates outside those of the training rows: the figures do not cover them."
    yield "Rows of another kind than the test rows (a new product, later years): nor these."


def say_without(report: Report, task: str) -> Iterator[str]:
    """What the model reaches with one input missing in every row, where that makes a difference."""
    found = {n: f for n, f in report.subsets.get(task, {}).items() if not n.endswith(OWN)}
    seen = {n: set(f.get("columns") or n.split(" + ")) for n, f in found.items()}
    metric, every = report.primary(task), max(seen.values(), key=len, default=set())
    whole = next((f for n, f in found.items() if seen[n] == every and "rows" in f), None)
    whole = whole or report.tasks[task]  # of the same rows
    for name, figures in found.items():
        lacks = every - seen[name]
        if len(lacks) == 1 and figures.get(metric) is not None:
            (column,) = lacks
            column += " (all numbers, categories and times)" * (column == "table")
            told = [say(metric, f.get(metric), report.unit(task)) for f in (figures, whole)]
            if told[0] != told[1]:
                yield f"{task}, without {column}: {label(metric)} {told[0]} instead of {told[1]}."


def say_weakest(report: Report, task: str) -> Iterator[str]:
    """The value of each category or group that fares worst, where it fares worse than all rows."""
    metric, unit = report.primary(task), report.unit(task)
    whole = say(metric, report.tasks[task].get(metric), unit)
    for column, values in (
        *report.groups.get(task, {}).items(), *report.slices.get(task, {}).items()
    ):  # fmt: skip
        given = {v: f for v, f in values.items() if f.get(metric) is not None}
        if len(given) > 1:
            worst = min(given, key=lambda v: better(metric) * given[v][metric])
            ends = say_interval(given[worst], metric, unit)
            said = say(metric, given[worst][metric], unit)
            if said == whole:
                continue
            said += f" ({ends})" if ends else ""
            said += f", {given[worst].get('rows', '–')} test rows"
            yield f"{task}, weakest where {column} is {worst}: {label(metric)} {said}."


def few_groups(report: Report) -> bool:
    """Whether intervals are drawn from so few groups that they are too narrow."""
    return 0 < (report.drawn.get("groups") or 0) < FEW_GROUPS
