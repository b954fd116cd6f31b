"""`modalloy evidence`: an evidence folder for a quality audit, and whether one was changed."""

from pathlib import Path
from typing import Annotated

import typer

import modalloy
from modalloy.commands.arguments import Trust
from modalloy.commands.terminal import take_cores
from modalloy.errors import JobError


def evidence(
    run: Annotated[
        Path | None, typer.Argument(metavar="RUN", help="Folder that `train` wrote.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Folder to write.")
    ] = None,
    about: Annotated[
        Path | None,
        typer.Option("--about", metavar="FILE", help="YAML with its owner's words: purpose, ..."),
    ] = None,
    sign: Annotated[
        Path | None, typer.Option(metavar="KEY.PEM", help="Ed25519 private key to sign it with.")
    ] = None,
    verify: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Say whether a folder was changed.")
    ] = None,
    trust: Trust = None,
) -> None:
    """Gather what is known of a run in one folder, gaps first, every file sealed.

    With --verify: exit code 1 where any file is not as it was sealed.
    """
    if verify is not None:
        if run is not None or out is not None or about is not None or sign is not None:
            raise JobError("evidence: --verify DIR stands alone, or beside --trust KEY.PUB.")
        found = modalloy.verify_evidence(verify, trust=trust)
        typer.echo(found.text())
        raise typer.Exit(0 if found.ok else 1)
    if run is None or out is None:
        raise JobError("evidence: give RUN and -o DIR, or --verify DIR.")
    if trust is not None:
        raise JobError("evidence: --trust is for --verify DIR; leave it out.")
    take_cores()
    made = modalloy.evidence(run, out=out, about=about, sign=sign)
    typer.echo(made.text())
    typer.echo(f"\nThe evidence is {made.path}; open {made.path / 'index.html'} in a browser.")
