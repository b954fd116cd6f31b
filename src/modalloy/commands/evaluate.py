"""`modalloy evaluate`: scores a run and tells the figures of its report."""

from pathlib import Path
from typing import Annotated

import typer

import modalloy
from modalloy.commands.arguments import RunFolder, Sheet, Strict
from modalloy.commands.terminal import notes_in, take_cores, tell_caveats, tell_notes


def evaluate(
    run: RunFolder,
    table: Annotated[str | None, typer.Argument(help="Other rows; else the test rows.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="HTML", help="Report page to write.")
    ] = None,
    sheet: Sheet = None,
    strict: Strict = False,
) -> None:
    """Score a run on its test rows or on another table.

    Figures with intervals, baselines, every subset of columns, slices, plots.
    """
    take_cores()
    report = modalloy.evaluate(run, table, out=out, sheet=sheet)
    typer.echo(report.text())
    page = out or run / ("report.html" if table is None else "evaluated.html")
    typer.echo(f"\nThe report is {page}; open it in a browser.")
    tell_notes(notes_in(report.findings))
    tell_caveats(report.caveats, strict=strict)
