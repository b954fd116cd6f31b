"""Writes `federate.html` of a split training: what the border costs, what other sites are worth."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modalloy.federation.page import PAGE, of
from modalloy.job import config
from modalloy.judge.metrics.score import primary
from modalloy.judge.wording import label, say_gain
from modalloy.machine.files import write_safely
from modalloy.report.document import document
from modalloy.report.html import table, tag
from modalloy.runs.run import Run

SAID = (
    "Every network answers the same test rows. Split: learned over the border; without others: the "
    "same network where their summaries are missing; joined: learned from one table of all "
    "columns, which split training spares the sites; alone: learned from one site's columns and "
    "the answers."
)


def write_page(run: Run) -> Path:
    """Write the page of a split training from its run's notes; where it is."""
    told, title = run.notes["matched"], ", ".join(run.job.tasks)
    rows = list(figures(told, run.job))
    parts = [
        ("figures", "Does it pay?", table(("task", "network", "figure"), rows)),
        ("cost", "What it cost", table(("", ""), list(costs(told)))),
    ]
    heading = tag(
        "header",
        tag("p", "Modalloy federate", kind="kicker"),
        tag("h1", title),
        tag("p", how(told)),
        tag("p", SAID, kind="quiet"),
    )
    footer = "Written by Modalloy. The same figures are in run.json, under notes, matched."
    path = run.path / PAGE
    page = document(f"{title} - Modalloy federate", heading, parts, footer)
    write_safely(path, page.encode("utf-8"))
    return path


def in_words(run: Run) -> str:
    """The same for a terminal: a line a task and network."""
    told = run.notes["matched"]
    lines = [f"{task}, {way}: {figure}" for task, way, figure in figures(told, run.job)]
    return "\n".join([how(told), *lines])


def how(told: Mapping[str, Any]) -> str:
    """Rows, passes and who had what, in one line."""
    return (
        f"{told['rows']:,} parts at {1 + len(told['inputs'])} sites, {told['epochs']} passes; "
        f"{told['site']} has the answers"
    )


def figures(told: Mapping[str, Any], job: config.Job) -> Iterator[tuple[str, str, str]]:
    """Task, network and its main figure with the interval; what split training gains at the end."""
    known = told["figures"]
    ways = {"split": known.get("split"), "split, without others": known.get("without")}
    ways |= {f"{site} alone": own for site, own in known.get("alone", {}).items()}
    ways |= {"joined": known.get("joined")}
    for task, options in job.tasks.items():
        metric, _ = primary(options)
        unit = getattr(options, "unit", None) or ""
        for way, own in ways.items():
            if own is not None:
                yield task, f"{way}, {label(metric)}", of(own.get(task), metric, unit)
        for name, other in (("gain", f"{told['site']} alone"), ("behind", "joined")):
            pair = known.get(name, {}).get(task, {}).get(metric)
            if pair and None not in pair[:2]:
                yield task, f"split over {other}", say_gain(metric, pair[1] - pair[0], unit)


def costs(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What it cost, line by line."""
    for site, own in told["bytes_of"].items():
        up, down = own["up"] / 1e6, own["down"] / 1e6
        yield f"sent by {site}, and to it", f"{up:,.2f} MB, {down:,.2f} MB"
    yield "matching and learning", f"{told['seconds']:.1f} s"
