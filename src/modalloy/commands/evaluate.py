"""`modalloy evaluate`: scores a run and tells the figures of its report."""

from pathlib import Path
from typing import Annotated

import typer

import modalloy
from modalloy.commands.arguments import Adapter, DeviceName, RunOrBundle, Sheet, Strict, Trust
from modalloy.commands.terminal import notes_in, take_cores, tell_caveats, tell_notes


def evaluate(
    run: RunOrBundle,
    table: Annotated[str | None, typer.Argument(help="Other rows; else the test rows.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="HTML", help="Report page to write.")
    ] = None,
    sheet: Sheet = None,
    strict: Strict = False,
    adapter: Adapter = None,
    device: DeviceName = "auto",
    trust: Trust = None,
) -> None:
    """Score a run on its test rows or on another table; a bundle on a table.

    Figures with intervals, baselines, every subset of columns, slices, plots.
    """
    from modalloy.report.rescore import page_of

    take_cores()
    asked = {"sheet": sheet, "adapter": adapter, "device": device, "trust": trust}
    report = modalloy.evaluate(run, table, out=out, **asked)
    typer.echo(report.text())
    own = table is None and adapter is None
    page = out or page_of(run, own=own)
    typer.echo(f"\nThe report is {page}; open it in a browser.")
    tell_notes(notes_in(report.findings))
    tell_caveats(report.caveats, strict=strict)
