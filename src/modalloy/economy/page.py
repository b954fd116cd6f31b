"""Writes `economize.html`: what each way of buying costs and loses, and which is certified."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.economy.before_after import point_of
from modalloy.economy.lessons import Lessons, follow
from modalloy.job import config
from modalloy.judge.compared import Compared
from modalloy.machine.files import write_safely
from modalloy.policy.plan import Plan
from modalloy.report.charts import INK, LINES, RED, chart, legend
from modalloy.report.document import document
from modalloy.report.figure import Figure
from modalloy.report.html import Markup, join, table, tag
from modalloy.report.lettering import drawn
from modalloy.report.page import show_figures

MARKS = "osD^vP"
HOW = (
    "Each arm was learned from rows that the network had not learned from; the certificate's rows "
    "chose the arm and its point, and the rows shown here chose nothing but where they are the "
    "certificate's own. A point stands for one price of columns; the first of each line buys every "
    "column. Two arms are reinforcement learning: the policy gradient draws its own ways through "
    "the process of buying, fitted Q goes backwards through it with the return of every set known. "
    "All others are none."
)


def write_page(
    path: Path,
    job: config.Job,
    compared: Compared,
    arms: Sequence[Mapping[str, Any]],
    plan: Plan,
    shown: Lessons,
) -> None:
    """Write the page, whole or not at all."""
    parts = [
        ("answer", "In short", in_short(compared)),
        (
            "frontier",
            "What columns cost and what leaving them out loses",
            frontier(arms, plan, shown, compared.which),
        ),
        ("arms", "Every arm, certified as though it stood alone", arms_table(arms)),
        ("columns", "Columns", columns_table(plan, shown)),
    ]
    title = ", ".join(job.tasks)
    heading = tag("header", tag("p", "Modalloy economize", kind="kicker"), tag("h1", title))
    footer = "Written by Modalloy. The same figures are in run.json, under notes, economized."
    page = document(f"{title} - Modalloy economize", heading, parts, footer)
    write_safely(path, page.encode("utf-8"))


def in_short(compared: Compared) -> Markup:
    """The table before and after, and what is promised."""
    head = ("task", "figure", "before", "after", "change")
    said = [tag("p", f"{line[:1].upper()}{line[1:]}.") for line in compared.said]
    of = tag("p", f"On {compared.rows} {compared.which}.", kind="quiet")
    return join([table(head, compared.lines(), numbers=2), of, *said])


def frontier(arms: Sequence[Mapping[str, Any]], plan: Plan, shown: Lessons, which: str) -> Markup:
    """Worse decisions over cost, a line an arm; what each certifies alone is filled."""
    canvas, axes = chart(8.4, 4.4)
    for arm, color, mark in zip(arms, LINES, MARKS, strict=False):
        cost = [100.0 * c for c in arm["cost"]]
        worse = [100.0 * w for w in arm["worse"]]
        at = arm["certified"]
        line = {"color": color, "marker": mark, "ms": 6}
        axes.plot(cost, worse, "-", lw=1.2, mfc="white", **line, label=arm["arm"])
        axes.plot(cost[at : at + 1], worse[at : at + 1], ls="none", **line)
    taken = point_of(plan, shown)
    ring = {"mfc": "none", "mec": INK, "mew": 1.6, "label": f"certified and taken: {plan.arm}"}
    axes.plot(
        [100.0 * taken["cost"]], [100.0 * taken["worse"]], marker="o", ls="none", ms=13, **ring
    )
    alpha = 100.0 * plan.certificate["alpha"]
    axes.axhline(alpha, color=RED, lw=1.0, ls=":", label=f"{alpha:g} % worse decisions")
    axes.set(xlabel="cost, % of buying every column", ylabel=f"worse decisions, % of {which}")
    axes.set_ylim(bottom=-0.2)
    legend(axes, fontsize=8)
    figure = Figure("Worse decisions against cost", "chart", drawn(canvas))
    return join([tag("p", HOW, kind="quiet"), show_figures([figure])])


def arms_table(arms: Sequence[Mapping[str, Any]]) -> Markup:
    """What each arm would cost and lose where it were the only one."""
    rows = []
    for arm in arms:
        at, kept = arm["certified"], arm["certificate"]
        name = tag("strong", f"{arm['arm']} (taken)") if arm["chosen"] else arm["arm"]
        told = f"{kept['worse']} of {kept['rows']}" if at else "nothing cheaper is certified"
        rows.append(
            (
                name,
                f"{100 * arm['cost'][at]:.0f} %",
                f"{arm['bought']:.2f}",
                f"{100 * arm['worse'][at]:.2f} %",
                told,
            )
        )
    head = ("arm", "cost of all", "columns a row", "worse here", "worse in the certificate")
    return table(head, rows)


def columns_table(plan: Plan, shown: Lessons) -> Markup:
    """What a cell of each input costs, and how many rows buy it."""
    bought_M = shown.bought_SM[follow(plan.rule, shown).set_N].mean(0)
    share = dict(zip(plan.inputs, np.round(100 * bought_M).astype(int).tolist(), strict=True))
    unit = f" {plan.unit}" if plan.unit else ""
    rows = [
        (name, f"{cost:.3g}{unit}", f"{share[name]} %" if name in share else "always")
        for name, cost in plan.costs.items()
    ]
    return table(("column", "cost of a cell", "rows that buy it"), rows)
