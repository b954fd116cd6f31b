"""`modalloy economize`: learns which columns each row needs, and tells what that saves."""

from pathlib import Path
from typing import Annotated

import typer

import modalloy
from modalloy.commands.arguments import RunFolder, Sheet
from modalloy.commands.terminal import take_cores
from modalloy.errors import JobError


def economize(
    run: RunFolder,
    table: Annotated[
        str | None, typer.Argument(help="Labelled rows; else those of the run's own table.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="NEWRUN", help="Folder to write; RUN-economized."),
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Share of decisions that may become wrong; 0.02.")
    ] = None,
    sure: Annotated[
        float | None, typer.Option(help="How probable it is that no more do; 0.9.")
    ] = None,
    costs: Annotated[
        str, typer.Option("--costs", help="Of a cell: photo=2.5,note=0; else measured.")
    ] = "",
    sheet: Sheet = None,
) -> None:
    """Learn which columns each row needs.

    A run that skips the rest, certified on rows kept apart: leaving it out makes no more decisions
    wrong than allowed. NEWRUN/economize.html shows every way that was tried.
    """
    from modalloy.economy.economize_run import PAGE, say_changes

    take_cores()
    given = costs_in(costs) if costs else None
    asked = {"alpha": alpha, "sure": sure, "costs": given, "sheet": sheet}
    made = modalloy.economize(run, table, out=out, **asked)
    typer.echo(say_changes(made.notes))
    typer.echo(f"\nThe run is {made.path}; `modalloy predict {made.path} TABLE` buys by it.")
    typer.echo(f"What was tried is on {made.path / PAGE}; open it in a browser.")


def costs_in(text: str) -> dict[str, float]:
    """`photo=2.5,note=0` as a mapping; JobError where it is none."""
    found = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, mark, cost = part.rpartition("=")
        try:
            found[name.strip()] = float(cost)
        except ValueError:
            mark = ""
        if not mark or not name.strip():
            raise JobError(f"--costs: '{part}' is no cost; write column=number, as in photo=2.5.")
    return found
