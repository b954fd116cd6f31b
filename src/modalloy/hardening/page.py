"""Writes `robustness.html`: what hardening changed, attack by attack, and what that shows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Canvas

from modalloy.checks.finding import Finding
from modalloy.hardening.judged import Judged
from modalloy.hardening.told import Outcome
from modalloy.judge.compared import Compared
from modalloy.judge.wording import label, say
from modalloy.report.charts import BLUE, FAINT, GREEN, INK, dress, legend
from modalloy.report.document import document
from modalloy.report.figure import Figure
from modalloy.report.html import Markup, join, table, tag
from modalloy.report.lettering import DPI, drawn
from modalloy.report.page import show_figures
from modalloy.report.robustness import growth_figure

ACROSS = 4  # charts of corruptions side by side
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
    found: Compared, told: Mapping[str, Any], outcome: Outcome, said: Sequence[Finding]
) -> str:
    """The page as one file. told: as the notes of the new run keep it."""
    before, after = outcome.before, outcome.after
    parts = [("answer", "In short", in_short(found, said))]
    if before is not None and after is not None:
        parts.append(("checks", "Checks of the attacks", checks(before, after)))
        worn = [f for n in after.suite.tasks if (f := curves(n, before, after)) is not None]
        if worn:
            parts.append(("corruptions", "Corruptions", show_figures(worn)))
    parts.append(("how", "How it was hardened", how(told)))
    title = ", ".join(outcome.model.job.tasks)
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


def checks(before: Judged, after: Judged) -> Markup:
    """Each check of each task, before and after."""
    lines = []
    for name in after.suite.tasks:
        both = (judged.suite.tasks[name].checks for judged in (before, after))
        for old, new in zip(*both, strict=True):
            lines.append((name, new.name, say_check(old.passed), say_check(new.passed), new.said))
    head = ("task", "check", "before", "after", "what was found after")
    suites = {"before": before.suite, "after": after.suite}
    grown = [growth_figure(suites, n) for n, found in after.suite.tasks.items() if found.growth]
    return join([tag("p", CHECKS), table(head, lines, numbers=5), show_figures(grown)])


def say_check(ok: bool) -> str:
    """A check in one word."""
    return "holds" if ok else "fails"


def curves(task: str, before: Judged, after: Judged) -> Figure | None:
    """A task's figure over the severity of each corruption, before and after, side by side."""
    old, new = (judged.suite.tasks[task] for judged in (before, after))
    kinds = list(new.corruptions)
    if not kinds:
        return None
    rows = -(-len(kinds) // ACROSS)
    canvas = Canvas(figsize=(9.2, 2.3 * rows), dpi=DPI, layout="constrained", facecolor="white")
    every = np.atleast_1d(canvas.subplots(rows, ACROSS, sharey=True)).ravel()
    for axes, kind in zip(every, kinds, strict=False):
        dress(axes)
        severities = range(1, len(new.corruptions[kind]) + 1)
        for values, color, mark, said in (
            (old.corruptions[kind], BLUE, "o", "before"),
            (new.corruptions[kind], GREEN, "s", "after"),
        ):
            axes.plot(severities, values, color=color, lw=1.5, marker=mark, ms=3, label=said)
        axes.axhline(new.clean, color=FAINT, lw=1, ls=":", label="clean, after")
        axes.set_title(kind.replace("_", " "), fontsize=9, color=INK)
    for axes in every[len(kinds) :]:
        axes.set_axis_off()
    legend(every[0], fontsize=7)
    unit = f" [{new.unit}]" if new.unit else ""
    note = f"{label(new.figure)}{unit} over severity; done to every column that it can befall."
    return Figure(f"{task} under corruptions", "chart", drawn(canvas), note)


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
