"""Writes `adapt.html`: what adapting changed, and which columns and layers needed capacity."""

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

from modalloy.judge.compared import Compared
from modalloy.machine.files import write_safely
from modalloy.report.charts import LINES, chart, legend
from modalloy.report.document import document
from modalloy.report.figure import Figure
from modalloy.report.html import Markup, join, table, tag
from modalloy.report.lettering import drawn
from modalloy.report.page import show_figures
from modalloy.report.plots import training_figures
from modalloy.runs.run import Run

PAGE = "adapt.html"
CAPACITY = (
    "Rank counts the directions in which a layer may change; numbers are all that learned beside "
    "the layers of a column."
)
ASKED = (
    " Under a budget, what a column asked for is the squared length of the gradients of its layers "
    "that both halves of the training rows agree on: directions went where it is large."
)


def write_page(run: Run) -> Path:
    """Write the page of a run that was adapted, from its notes; where it is."""
    told = run.notes["adapted"]
    parts = [("answer", "In short", in_short(Compared.from_dict(told["compared"])))]
    if (told.get("ranks") or {}).get("layers"):
        parts.append(("capacity", "Which columns and layers needed capacity", capacity(told)))
    if told.get("curves"):
        shown = show_figures(training_figures(told["curves"], run.job.tasks))
        parts.append(("training", "Learning from the new rows", shown))
    title = ", ".join(run.job.tasks)
    named = tag("p", how(told), kind="quiet")
    heading = tag("header", tag("p", "Modalloy adapt", kind="kicker"), tag("h1", title), named)
    footer = "Written by Modalloy. The same figures are in run.json, under notes, adapted."
    path = run.path / PAGE
    page = document(f"{title} - Modalloy adapt", heading, parts, footer)
    write_safely(path, page.encode("utf-8"))
    return path


def how(told: Mapping[str, Any]) -> str:
    """The method, and what it was given, in one line."""
    rows = ", ".join(f"{count} {part}" for part, count in told["rows"].items())
    named = f", as the adapter {told['name']}" if told.get("name") else ""
    return f"{told['method']}{named}; new rows: {rows}"


def in_short(compared: Compared) -> Markup:
    """The table before and after, and what is to be known of it."""
    head = ("task", "figure", "before", "after", "change")
    items = join(tag("li", f"{line[:1].upper()}{line[1:]}.") for line in compared.said)
    of = tag("p", f"On {compared.rows} {compared.which}.", kind="quiet")
    return join([table(head, compared.lines(), numbers=2), of, tag("ul", items)])


def capacity(told: Mapping[str, Any]) -> Markup:
    """What each column and each layer was given."""
    ranks = told["ranks"]
    columns: Mapping[str, Mapping[str, float]] = ranks["columns"]
    budget = any("asked" in own for own in columns.values())
    whole = sum(own.get("asked", 0.0) for own in columns.values()) or 1.0
    rows = []
    for name, own in columns.items():
        asked = [f"{100 * own.get('asked', 0.0) / whole:.0f} %"] if budget else []
        rows.append(
            (name, f"{own['rank']:g}", f"{own['layers']:g}", f"{own['numbers']:,g}", *asked)
        )
    head = ("column", "rank in all", "layers", "numbers", *(["share of what was asked"] * budget))
    said = tag("p", CAPACITY + (ASKED if budget else ""), kind="quiet")
    return join([said, table(head, rows), show_figures([by_layer(ranks, columns)])])


def by_layer(ranks: Mapping[str, Any], columns: Mapping[str, Any]) -> Figure:
    """A bar a layer in the network's order, in its column's colour."""
    canvas, axes = chart(8.4, 3.2)
    owner = ranks["owners"]
    places: dict[str, list[tuple[int, int]]] = {name: [] for name in columns}
    for at, (layer, rank) in enumerate(ranks["layers"].items(), start=1):
        places[owner[layer]].append((at, rank))
    for color, (name, own) in zip(cycle(LINES), places.items(), strict=False):
        if own:
            axes.bar(*zip(*own, strict=True), color=color, width=0.8)
            axes.plot([], [], color=color, lw=6, label=name)  # its entry among the names
    axes.set(xlabel="layer, from input to output", ylabel="rank", ylim=(0, None))
    legend(axes, fontsize=8)
    return Figure("Rank of each layer", "chart", drawn(canvas))
