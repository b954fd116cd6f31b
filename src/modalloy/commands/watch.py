"""`modalloy watch`: whether rows are still like those of training; a served model's history."""

from pathlib import Path
from typing import Annotated

import typer

import modalloy
from modalloy.commands.arguments import Adapter, DeviceName, Live, RunOrBundle, Sheet, Trust
from modalloy.commands.terminal import STRANGE, take_cores, tell_caveats
from modalloy.commands.watch_served import open_served, take_labels, tell_refresh, tell_status
from modalloy.errors import JobError


def watch(
    run: RunOrBundle,
    table: Annotated[
        str | None,
        typer.Option("--table", metavar="NEW", help="Rows to look at, with labels or without."),
    ] = None,
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
    status: Annotated[
        bool, typer.Option("--status", help="Of a served model: what happened, and who answers.")
    ] = False,
    labels: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Of a served model: right answers, by row_id."),
    ] = None,
    source: Annotated[
        str, typer.Option(metavar="WHO", help="Who gave the labels, where the file says nothing.")
    ] = "file",
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Of a served model: learn on from labelled rows.")
    ] = False,
    refresh_if_due: Annotated[
        bool, typer.Option("--refresh-if-due", help="The same, where the job's plan says so.")
    ] = False,
    live: Live = None,
) -> None:
    """Say what has drifted away from training, since when, and how well rows are answered.

    Without --table it is about a model that `serve` has served: its history, labels, refreshes.
    """
    asked = [table is not None, status, labels is not None, refresh, refresh_if_due]
    if sum(asked) != 1:
        raise JobError(
            "watch: give one of --table NEW, --status, --labels FILE, --refresh, --refresh-if-due."
        )
    if table is None:
        refuse_of_tables(
            {"out": out, "time": time, "sheet": sheet, "adapter": adapter, "trust": trust}
            | {"strict": strict or None}
        )
        served = open_served(run, live)
        if status:
            tell_status(served)
        elif labels is not None:
            take_labels(served, labels, source)
        else:
            tell_refresh(served, if_due=refresh_if_due)
        return
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


def refuse_of_tables(given: dict[str, object]) -> None:
    """JobError for an option that only a look at a table reads."""
    if named := [name for name, value in given.items() if value is not None]:
        raise JobError(f"--{named[0]}: is for --table; leave it out.")
