"""`modalloy watch`: whether new rows are still like those of training, and still answered well."""

from pathlib import Path
from typing import Annotated

import typer

import modalloy
from modalloy.commands.arguments import Adapter, DeviceName, RunOrBundle, Sheet, Trust
from modalloy.commands.terminal import STRANGE, take_cores, tell_caveats


def watch(
    run: RunOrBundle,
    table: Annotated[
        str, typer.Option("--table", metavar="NEW", help="Rows to look at, with labels or without.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="PAGE.html", help="Page to write; RUN/watched.html."),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Orders rows, for since when; else the job's."),
    ] = None,
    rows: Annotated[
        int, typer.Option(min=1, help="That are looked at, evenly spread over the table.")
    ] = 2000,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit code 3 where anything has drifted.")
    ] = False,
    sheet: Sheet = None,
    adapter: Adapter = None,
    device: DeviceName = "auto",
    trust: Trust = None,
) -> None:
    """Say what has drifted away from training, since when, and how well rows are answered."""
    take_cores(run)
    found = modalloy.watch(
        run,
        table,
        out=out,
        time=time,
        rows=rows,
        sheet=sheet,
        adapter=adapter,
        device=device,
        trust=trust,
    )
    typer.echo(found.text())
    tell_caveats(found.caveats, strict=False)
    typer.echo(f"The page is {found.page}; open it in a browser.")
    if strict and found.drifted:
        raise typer.Exit(STRANGE)
