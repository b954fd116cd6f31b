"""Writes `robustness.html`: what hardening changed, attack by attack, and what that shows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modalloy.checks.finding import Finding
from modalloy.hardening.judged import Judged
from modalloy.job import config
from modalloy.judge.compared import Compared
from modalloy.judge.wording import label, say
from modalloy.report.charts import BLUE, FAINT, GREEN, chart, legend
from modalloy.report.document import document
from modalloy.report.figure import Figure
from modalloy.report.html import Markup, join, table, tag
from modalloy.report.lettering import drawn
from modalloy.report.page import show_figures

SHOWS = (
    "Every figure is of test rows, which chose nothing. An attack is a search for the worst cell "
    "within its budget by somebody who knows every weight; a better search than these may find "
    "worse, and budgets say nothing of cells beyond them. What a real sensor does when it wears is "
    "closer to the corruptions than to the attacks."
)
CHECKS = (
    "A network can hide its gradients, and attacks then fail without it being any safer (Athalye "
    "et al. 2018, 1802.00420). Where one of these checks fails, figures under attack say nothing, "
    "and this page does not call the answers robust."
)


def robustness_page(
    job: config.Job,
    found: Compared,
    told: Mapping[str, Any],
    before: Judged | None,
    after: Judged | None,
    said: Sequence[Finding],
) -> str:
    """The page as one file."""
    parts = [("answer", "In short", in_short(found, said))]
    if before is not None and after is not None:
        parts.append(("checks", "Checks of the attacks", checks(job, before, after)))
        worn = [f for name in job.tasks for f in curves(name, before, after)]
        if worn:
            parts.append(("corruptions", "Corruptions", show_figures(worn)))
    parts.append(("how", "How it was hardened", how(told)))
    title = ", ".join(job.tasks)
    heading = tag("header", tag("p", "Modalloy robustness", kind="kicker"), tag("h1", title))
    footer = "Written by Modalloy. The same figures are in robustness.json."
    return document(f"{title} - Modalloy robustness", heading, parts, footer)


def in_short(found: Compared, said: Sequence[Finding]) -> Markup:
    """What is to be known, and the table of before and after."""
    head = ("task and rows", "figure", "before", "after", "change")
    items = join(tag("li", f"{f.what}.") for f in said if f.level != "note" or f.where == "robust")
    lines = tag("ul", items) if items else Markup("")
    rows = tag("p", f"On {found.rows} {found.which}.", kind="quiet")
    return join([lines, table(head, found.lines(), numbers=2), rows, tag("p", SHOWS)])


def checks(job: config.Job, before: Judged, after: Judged) -> Markup:
    """Each check of each task, before and after."""
    lines = []
    for name in job.tasks:
        both = (judged.suite.tasks[name].checks for judged in (before, after))
        for old, new in zip(*both, strict=True):
            lines.append((name, new.name, say_check(old.passed), say_check(new.passed), new.said))
    head = ("task", "check", "before", "after", "what was found after")
    return join([tag("p", CHECKS), table(head, lines, numbers=5)])


def say_check(ok: bool) -> str:
    """A check in one word."""
    return "holds" if ok else "fails"


def curves(task: str, before: Judged, after: Judged) -> Iterator[Figure]:
    """A task's figure over the severity of each corruption of each column, before and after."""
    old, new = (judged.suite.tasks[task].corruptions for judged in (before, after))
    clean = after.suite.tasks[task].clean
    for name, values in new.items():
        canvas, axes = chart(3.4, 2.6)
        severities = range(1, len(values) + 1)
        axes.plot(severities, old[name], color=BLUE, lw=1.6, marker="o", ms=3, label="before")
        axes.plot(severities, values, color=GREEN, lw=1.6, marker="s", ms=3, label="after")
        axes.axhline(clean, color=FAINT, lw=1, ls=":", label="clean, after")
        axes.set(xlabel="severity", ylabel=label(after.suite.tasks[task].figure))
        legend(axes, fontsize=7)
        yield Figure(f"{task}: {name}", "chart", drawn(canvas))


def how(told: Mapping[str, Any]) -> Markup:
    """Training, budgets, and the weights that were looked at."""
    budgets = table(("column", "an attacker may move it by"), told["budgets"].items(), numbers=2)
    parts = [
        tag(
            "p", f"Training: {told['training']}, {told['epochs']} epochs, {told['seconds']:.0f} s."
        ),
        budgets,
    ]
    if told["tried"]:
        head = ("share of the way to the new weights", "clean score", "score under attack")
        lines = [(f"{100 * s:.0f} %", say("r2", c), say("r2", a)) for s, c, a in told["tried"]]
        chosen = tag("p", f"Validation rows chose {100 * told['share']:.0f} %.", kind="quiet")
        parts += [table(head, lines), chosen]
    return join(parts)
