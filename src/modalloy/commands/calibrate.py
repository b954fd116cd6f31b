"""`modalloy calibrate`: calibrates a run anew and tells what has changed."""

from pathlib import Path
from typing import Annotated

import typer

import modalloy
from modalloy.commands.arguments import RunFolder, Sheet, Table
from modalloy.commands.terminal import take_cores, tell_caveats


def calibrate(
    run: RunFolder,
    table: Table,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="NEWRUN", help="Folder to write; RUN-calibrated."),
    ] = None,
    coverage: Annotated[
        float | None, typer.Option(help="Share of sets and intervals that hold the truth.")
    ] = None,
    sheet: Sheet = None,
) -> None:
    """Calibrate a run anew on labelled rows.

    For another line or another camera: how sure it is and what it promises change, weights do not.
    """
    from modalloy.learn.recalibrate import say_changes

    take_cores()
    made = modalloy.calibrate(run, table, out=out, coverage=coverage, sheet=sheet)
    typer.echo(say_changes(made.notes))
    typer.echo(f"\nThe run is {made.path}; `modalloy evaluate {made.path}` writes its report.")
    tell_caveats([f["text"] for f in made.notes["recalibrated"]["said"]], strict=False)
