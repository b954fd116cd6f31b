"""What a suite of attacks found, on a page: every figure in one table, and how it falls."""

from collections.abc import Mapping

from modalloy.attacks.results import Suite, lines_of
from modalloy.judge.wording import label
from modalloy.report.charts import FAINT, LINES, chart, legend
from modalloy.report.figure import Figure
from modalloy.report.html import Markup, table
from modalloy.report.lettering import drawn

MARKS = ("o", "s", "^", "D")


def attacks_table(suites: Mapping[str, Suite], task: str) -> Markup:
    """Every figure of a task under attack. suites: what each stands for, such as before and after,
    with the same budgets; a figure that one lacks is a dash.
    """
    found = [dict(lines_of(suite.tasks[task])) for suite in suites.values()]
    names = dict.fromkeys(name for lines in found for name in lines)
    rows = [(name, *(lines.get(name, "–") for lines in found)) for name in names]
    return table(("attack or corruption", *suites), rows)


def growth_figure(suites: Mapping[str, Suite], task: str) -> Figure:
    """The figure over how many times the budgets, a line for each suite, from no attack at all."""
    canvas, axes = chart(4.6, 3.6)
    result = next(iter(suites.values())).tasks[task]
    for (name, suite), color, mark in zip(suites.items(), LINES, MARKS, strict=False):
        one = suite.tasks[task]
        factors, values = zip((0.0, one.clean), *one.growth, strict=True)
        axes.plot(factors, values, color=color, lw=1.8, marker=mark, ms=4, label=name)
        axes.set_xscale("symlog", linthresh=1.0, base=4)
        axes.set_xticks(factors, [f"{f:g}" for f in factors])
    if result.blind is not None:
        axes.axhline(result.blind, color=FAINT, lw=1, ls=":", label="one answer for all")
    unit = f" [{result.unit}]" if result.unit else ""
    axes.set(xlabel="times the budgets", ylabel=f"{label(result.figure)}{unit}")
    axes.set_ylim(bottom=0)
    legend(axes, fontsize=8)
    note = (
        "With budgets that let an attacker do nearly anything, hardly an answer should hold; where "
        "many do, the gradients are masked and no figure under attack can be believed."
    )
    return Figure(f"{task} as budgets grow", "chart", drawn(canvas), note, task)
