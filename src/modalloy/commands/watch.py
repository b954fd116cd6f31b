"""`modalloy watch`: whether rows are still like those of training; a served model's history."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

import modalloy
from modalloy.commands.arguments import Adapter, DeviceName, Live, RunOrBundle, Sheet, Trust
from modalloy.commands.terminal import STRANGE, take_cores, tell_caveats
from modalloy.commands.watch_served import (
    logged_rows,
    open_served,
    take_labels,
    tell_refresh,
    tell_status,
)
from modalloy.errors import JobError

NewRows = Annotated[
    str | None,
    typer.Option("--table", metavar="NEW", help="Rows to look at, with labels or without."),
]
Logged = Annotated[
    bool, typer.Option("--logged", help="Look at the rows that a served model has answered.")
]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="PAGE.html", help="Page to write; RUN/watched.html."),
]
Time = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Orders rows, for since when; else the job's."),
]
Rows = Annotated[int, typer.Option(min=1, help="That are looked at, evenly spread over the table.")]
Beside = Annotated[
    Path | None,
    typer.Option(metavar="RUN", help="Another run of the same numbers: where both part company."),
]
Usual = Annotated[
    str | None,
    typer.Option(metavar="ROWS", help="Of --beside: rows of which nothing has changed."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit code 3 where anything has drifted.")]
Status = Annotated[
    bool, typer.Option("--status", help="Of a served model: what happened, and who answers.")
]
Labels = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Of a served model: right answers, by row_id."),
]
Source = Annotated[
    str | None,
    typer.Option(metavar="WHO", help="Who gave the labels, where the file says nothing."),
]
Refresh = Annotated[
    bool, typer.Option("--refresh", help="Of a served model: learn on from labelled rows.")
]
RefreshIfDue = Annotated[
    bool, typer.Option("--refresh-if-due", help="The same, where the job's plan says so.")
]


def watch(
    run: RunOrBundle,
    table: NewRows = None,
    logged: Logged = False,
    out: Out = None,
    time: Time = None,
    rows: Rows = 2000,
    beside: Beside = None,
    usual: Usual = None,
    strict: Strict = False,
    sheet: Sheet = None,
    adapter: Adapter = None,
    device: DeviceName = "auto",
    trust: Trust = None,
    status: Status = False,
    labels: Labels = None,
    source: Source = None,
    refresh: Refresh = False,
    refresh_if_due: RefreshIfDue = False,
    live: Live = None,
) -> None:
    """Say what has drifted away from training, since when, and how well rows are answered.

    Without --table it is about a model that `serve` has served: its rows, history, labels,
    refreshes.
    """
    asked = [table is not None, logged, status, labels is not None, refresh, refresh_if_due]
    if sum(asked) != 1:
        raise JobError(
            "watch: give one of --table NEW, --logged, --status, --labels FILE, --refresh, "
            "--refresh-if-due."
        )
    own = {"out": out, "time": time, "sheet": sheet, "adapter": adapter, "trust": trust}
    own |= {"beside": beside, "usual": usual}
    refuse_beside(labels is None, {"source": source}, "--labels")
    if table is not None:
        refuse_beside(True, {"live": live}, "a served model")
        look(run, table, strict, rows=rows, device=device, **own)
    elif logged:
        refuse_beside(True, {"sheet": sheet, "adapter": adapter}, "--table")
        served = open_served(run, live)
        version, found, moment = logged_rows(served)
        given = own | {"out": out or served.path / "watched.html", "time": time or moment}
        look(version, found, strict, rows=rows, device=device, **given)
    else:
        refuse_beside(True, own | {"strict": strict or None}, "--table or --logged")
        served = open_served(run, live)
        if status:
            tell_status(served)
        elif labels is not None:
            take_labels(served, labels, source or "file")
        else:
            tell_refresh(served, if_due=refresh_if_due)


def look(run: Path, table: Any, strict: bool, **options: Any) -> None:
    """Look at rows, and say what has drifted."""
    take_cores(run)
    found = modalloy.watch(run, table, **options)
    typer.echo(found.text())
    tell_caveats(found.caveats, strict=False)
    typer.echo(f"The page is {found.page}; open it in a browser.")
    if strict and found.drifted:
        raise typer.Exit(STRANGE)


def refuse_beside(beside: bool, given: Mapping[str, object], of: str) -> None:
    """JobError for an option that nothing would read."""
    named = [name for name, value in given.items() if value is not None]
    if beside and named:
        raise JobError(f"--{named[0]}: is for {of}; leave it out.")
