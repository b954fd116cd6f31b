"""`modalloy site`: a plant's end of a federation."""

import json
from pathlib import Path
from typing import Annotated

import typer

import modalloy
from modalloy.commands.arguments import JobFile
from modalloy.commands.terminal import take_cores
from modalloy.errors import JobError


def site(
    job: JobFile,
    table: Annotated[str, typer.Option("--table", metavar="TABLE", help="This site's rows.")],
    name: Annotated[str, typer.Option("--name", help="What the server calls this site.")],
    join: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="The server; it is called, never calls.")
    ] = None,
    ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificate that vouches for the server.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="This site's private key, if it needs one.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="What it must not forget; else NAME.site.")
    ] = None,
    wait: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long for the server.")
    ] = 600.0,
    propose: Annotated[
        bool, typer.Option("--propose", help="Only show what would be told of the columns.")
    ] = False,
) -> None:
    """Take part in a federation with rows that stay here.

    What this site learns goes to the server at --join, no row does; its own run is written to the
    folder in the end.
    """
    if propose is (join is not None):
        raise JobError("site: give --join HOST:PORT to take part, or --propose to look first.")
    take_cores()
    given = {"ca": ca, "key": key, "folder": folder, "wait_s": wait}
    said = modalloy.site(job, table=table, name=name, join=join, **given)
    if propose:
        typer.echo(json.dumps(said, indent=2, ensure_ascii=False))
    elif said is None:
        typer.echo("The federation has ended; this site has no rows to make a run of.")
    else:
        typer.echo(f"The federation has ended; this site's run is {said}.")
