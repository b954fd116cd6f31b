"""Writes `compare.html`: runs side by side, each figure with its interval, and each difference."""

from collections.abc import Iterator

from modalloy.comparing.compared_runs import (
    ComparedRuns,
    Task,
    say_difference,
    say_ends,
    side_line,
    verdict,
)
from modalloy.judge.wording import bounds, is_number, label, say, say_gain
from modalloy.report.document import document
from modalloy.report.html import Dot, Markup, dots, fold, join, table, tag

FOOTER = "Written by Modalloy. The same figures are in the JSON file beside this page."


def compare_page(found: ComparedRuns) -> str:
    """The page as one file."""
    names = [side.name for side in found.sides]
    title = " and ".join((", ".join(names[:-1]), names[-1]))
    parts = [("answer", "In short", in_short(found))]
    for i, (name, task) in enumerate(found.tasks.items()):
        parts.append((f"task{i}", name, task_part(found, name, task)))
    heading = tag(
        "header",
        tag("p", "Modalloy compare", kind="kicker"),
        tag("h1", title),
        tag("p", f"On {found.rows:,} {found.which}; {found.drawn}.", kind="quiet"),
    )
    return document(f"{title} - Modalloy compare", heading, parts, FOOTER)


def in_short(found: ComparedRuns) -> Markup:
    """What to know first, the main figure's differences, and what each run costs."""
    doubts = [tag("div", tag("ul", join(tag("li", s) for s in found.said)), kind="lacking")]
    said = [
        f"{name}: {say_difference(d, task.primary, task.unit)}."
        for name, task in found.tasks.items()
        for d in task.differences
    ]
    head = ("run", "training took", "MB", "columns used", "made by")
    lines = [(*side_line(side), side.made_by) for side in found.sides]
    chance = [tag("p", found.chance(), kind="quiet")] if found.intervals() > 1 else []
    shown = tag("ul", join(tag("li", one) for one in said))
    return join([*(doubts if found.said else []), shown, *chance, table(head, lines, numbers=5)])


def task_part(found: ComparedRuns, name: str, task: Task) -> Markup:
    """The main figure of every run on one scale, all figures, and all differences."""
    metric = task.primary
    lines = []
    for run, own in task.figures.items():
        if is_number(own.get(metric)):
            low, high = bounds(own, metric) or (None, None)
            lines.append(Dot(run, own[metric], low, high, say(metric, own[metric], task.unit)))
    head = ("figure", *(side.name for side in found.sides))
    parts = [
        tag("p", f"{task.rows:,} of the rows have an answer to compare with.", kind="quiet"),
        tag("h3", label(metric)),
        dots(lines),
        tag("h3", "Every figure, with its 95 % interval"),
        table(head, found.figure_lines(name)),
        tag("h3", "The difference of each two runs"),
    ]
    every = table(("figure", "difference", "95 % interval", "so"), differences(task), numbers=1)
    return join([*parts, every if len(task.differences) < 4 else fold("All of them", every)])


def differences(task: Task) -> Iterator[tuple[str, str, str, str]]:
    """Each figure of each two runs: the second minus the first."""
    for d in task.differences:
        for metric, pair in d.pairs.items():
            if pair.before is None or pair.after is None:
                continue
            said = f"{label(metric)}: {d.second} minus {d.first}"
            gain = say_gain(metric, pair.after - pair.before, task.unit)
            yield said, gain, say_ends(metric, pair, task.unit), verdict(d, metric)
