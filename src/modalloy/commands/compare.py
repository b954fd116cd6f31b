"""`modalloy compare`: puts runs side by side on the same rows."""

from pathlib import Path
from typing import Annotated

import typer

import modalloy
from modalloy.commands.arguments import DeviceName, Sheet
from modalloy.commands.terminal import take_cores


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN RUN...", help="Folders that `train` wrote.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="HTML", help="Page to write.")
    ] = None,
    table: Annotated[
        str | None,
        typer.Option("--table", metavar="NEW", help="Other rows with answers; else the test rows."),
    ] = None,
    sheet: Sheet = None,
    device: DeviceName = "auto",
) -> None:
    """Put runs side by side: figures on the same test rows, and what of their differences is sure.

    Runs of other tasks or other test rows are refused.
    """
    take_cores()
    found = modalloy.compare(runs, out=out, table=table, sheet=sheet, device=device)
    typer.echo(found.text())
    if out is not None:
        typer.echo(f"\nThe page is {out}; open it in a browser.")
