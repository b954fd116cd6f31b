"""Writes `pretrain.html`: what was learned without labels, column by column, and how it went."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modalloy.report.charts import LINES, chart, legend
from modalloy.report.document import document
from modalloy.report.figure import Figure
from modalloy.report.html import Markup, join, table, tag
from modalloy.report.lettering import drawn
from modalloy.report.page import say_time, show_figures

HEAD = ("method", "of", "before", "after", "kept")
SHOWS = (
    "Losses are of rows kept apart from learning, with the same parts hidden each time. Under "
    "masked, about 1 means that nothing of what was hidden is known, and 0 that all of it is; "
    "under contrast, losses are of finding the cells of a row among those of other rows; "
    "under autoregress, losses are nats a number above a sure prediction. What is left is noise, "
    "or was not learned. Whether it helps a task is told by training with and without it."
)
DRAWN = (
    "Each line is a row: its cell, the part that was shown, what is expected after it, and draws. "
    "`modalloy draw` makes more of them."
)
MOST_LINES = 8  # of a chart


def losses_of(notes: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str, str]]:
    """Method, column, loss before and after, and the share of it that is left."""
    told = notes["pretrained"]
    for method, before in told["before"].items():
        after = told["after"].get(method, {})
        for name, old in before.items():
            new = after.get(name)
            left = f"{100 * new / old:.0f} %" if new is not None and old > 0 else "–"
            said = "–" if new is None else f"{new:.3f}"
            yield method, "" if name == method else name, f"{old:.3f}", said, left


def said_losses(notes: Mapping[str, Any]) -> str:
    """The table of losses for a terminal, and what was learned from."""
    lines = [HEAD, *losses_of(notes)]
    wide = [max(len(row[i]) for row in lines) for i in range(len(HEAD))]
    shown = [
        "  ".join(
            cell.ljust(w) if i < 2 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, wide, strict=True))
        ).rstrip()
        for row in lines
    ]
    return "\n".join([*(shown if len(lines) > 1 else ()), said_rows(notes)])


def said_rows(notes: Mapping[str, Any]) -> str:
    """How many rows taught, for how long."""
    told, tables = notes["pretrained"], notes["pretrained"]["tables"]
    further = f", of which {sum(tables[1:]):,} in further tables" if len(tables) > 1 else ""
    judged = f"; {told['judged']:,} more were kept apart" if told["judged"] else ""
    time = say_time(notes["seconds"]["training"])
    return (
        f"learned from {told['rows']:,} rows{further}{judged}; {notes['epochs']} epochs in {time}"
    )


def pretrained_page(
    columns: Sequence[str], notes: Mapping[str, Any], sheets: Mapping[str, bytes]
) -> str:
    """The page as one file. sheets: by column, PNG of cells that the run draws."""
    found = [f for f in notes["findings"]]
    items = join(tag("li", f"{f['where']}: {f['what']}.") for f in found)
    said = tag("p", f"{said_rows(notes)[0].upper()}{said_rows(notes)[1:]}.")
    lines = list(losses_of(notes))
    losses = table(HEAD, lines, numbers=2) if lines else tag("p", "No rows were kept apart.")
    short = join([said, tag("ul", items) if found else Markup(""), losses, tag("p", SHOWS)])
    parts = [("answer", "In short", short)]
    figures = list(curves(notes["curves"]))
    if figures:
        parts.append(("curves", "Curves", show_figures(figures)))
    if sheets:
        shown = [Figure(f"Drawn: {name}", "chart", data, DRAWN) for name, data in sheets.items()]
        parts.append(("drawn", "What it draws", show_figures(shown)))
    title = ", ".join(columns)
    heading = tag("header", tag("p", "Modalloy pretraining", kind="kicker"), tag("h1", title))
    footer = "Written by Modalloy. The same figures are in pretrain.json."
    return document(f"{title} - Modalloy pretraining", heading, parts, footer)


def curves(lines: Sequence[Mapping[str, Any]]) -> Iterator[Figure]:
    """A chart of each method's losses over the epochs, column by column."""
    methods = dict.fromkeys(m for line in lines for m in line.get("validation", ()))
    for method in methods:
        seen = [line for line in lines if method in line.get("validation", ())]
        names = list(seen[-1]["validation"][method])[:MOST_LINES]
        canvas, axes = chart(7.2, 3.4)
        for name, color in zip(names, LINES, strict=False):
            points = [
                (line["epoch"], line["validation"][method][name])
                for line in seen
                if name in line["validation"][method]
            ]
            axes.plot(*zip(*points, strict=True), color=color, lw=1.6, label=name)
        axes.set(xlabel="epoch", ylabel="loss of rows kept apart")
        legend(axes, fontsize=8)
        yield Figure(method, "chart", drawn(canvas), "Lower is better.")
