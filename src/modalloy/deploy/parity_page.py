"""Writes the page of an export that was refused: the rows that its graphs decide otherwise."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.answer.agreement.agreement import agreement_of
from modalloy.answer.golden_rows import SHARE
from modalloy.deploy.beside import beside
from modalloy.deploy.export_rows import ExportRows
from modalloy.deploy.parity import UNLIKE, Difference, Parity
from modalloy.job import config
from modalloy.machine.files import write_safely
from modalloy.report.document import document
from modalloy.report.html import Markup, join, table, tag

MOST = 200  # rows that are shown, those with the largest margins
LONGEST = 60  # characters of a cell
HOW = (
    f"A bundle is written where every way to compute it decides at least {100 * SHARE:g} % of the "
    "rows as the run does, and none otherwise that the run was sure about: none with a margin "
    "above the bound. Each row is asked as it is, and some of them also with one input hidden."
)


def page_beside(out: Path) -> Path:
    """Where the page of a bundle that was not written lies."""
    return beside(out, "-parity.html")


def write_page(path: Path, job: config.Job, found: Sequence[Parity], rows: ExportRows) -> None:
    """Write the page, whole or not at all."""
    parts = [("answer", "In short", in_short(job, found))]
    for number, one in enumerate(p for p in found if p.differences):
        headline = f"Rows that {one.label} decides otherwise"
        parts.append((f"rows-{number}", headline, shown(one, rows)))
    title = ", ".join(job.tasks)
    heading = tag("header", tag("p", "Modalloy export", kind="kicker"), tag("h1", title))
    page = document(f"{title} - Modalloy export", heading, parts, "Written by Modalloy.")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_safely(path, page.encode("utf-8"))


def in_short(job: config.Job, found: Sequence[Parity]) -> Markup:
    """One line a way to compute and task."""
    lines = [
        (
            one.label,
            task,
            f"{100 * v.share:.2f} %",
            f"{v.worst:.3g}",
            f"{v.bound:g}",
            "as the run" if v.fine else tag("strong", "otherwise"),
        )
        for one in found
        for task, v in one.verdicts.items()
    ]
    head = ("computed by", "task", "same decisions", "largest margin", "bound", "decides")
    margins = [
        tag("p", f"Margin of {task}: {agreement_of(options).margin}.", kind="quiet")
        for task, options in job.tasks.items()
    ]
    said = f"{found[0].rows} {found[0].said} were asked. {HOW}"
    return join([table(head, lines, numbers=2), tag("p", said, kind="quiet"), *margins])


def shown(one: Parity, rows: ExportRows) -> Markup:
    """The rows with their cells, the surest ones first."""
    worst = sorted(one.differences, key=lambda d: -d.margin)[:MOST]
    columns = [c for r in rows.loader.readers.values() for c in r.columns]
    columns = [c for c in dict.fromkeys(columns) if c in rows.loader.table.columns]
    lines = [line_of(d, columns, rows) for d in worst]
    head = ("row", "task", "hidden", "by the run", "by the graphs", "margin", *columns)
    more = len(one.differences) - len(worst)
    left = [tag("p", f"{more} more rows are not shown.", kind="quiet")] if more else []
    return join([table(head, lines, numbers=len(head)), *left])


def line_of(found: Difference, columns: Sequence[str], rows: ExportRows) -> list[Any]:
    """One row: what is said of it by both, how sure the run was, and its cells."""
    cells = [brief(rows.loader.table.written(c, np.array([found.row]))[0]) for c in columns]
    margin = f"{found.margin:.3g}"
    task = "unlike training" if found.task == UNLIKE else found.task
    said = [found.row, task, found.hidden or "-", found.before, found.after]
    return [*said, tag("strong", margin) if found.over else margin, *cells]


def brief(cell: Any) -> str:
    """A cell in few letters; of a file that lies in the table how long it is."""
    if cell is None:
        return "-"
    if isinstance(cell, bytes):
        return f"{len(cell)} bytes"
    said = str(cell)
    return said if len(said) <= LONGEST else said[: LONGEST - 3] + "..."
