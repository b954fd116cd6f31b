"""`modalloy wheelhouse`: a folder that installs on a machine without a network."""

from pathlib import Path
from typing import Annotated

import typer

import modalloy
from modalloy.errors import JobError


def wheelhouse(
    out: Annotated[Path | None, typer.Argument(metavar="DIR", help="Folder to write.")] = None,
    extra: Annotated[
        list[str] | None, typer.Option("--extra", metavar="NAME", help="May be given repeatedly.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Clone or wheel of modalloy; else what it came from."),
    ] = None,
    dry: Annotated[bool, typer.Option("--dry", help="Only say what would be fetched.")] = False,
    verify: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Say whether a folder was changed.")
    ] = None,
) -> None:
    """Fetch the wheels of what is installed here, for a machine without a network.

    With --verify: exit code 1 where any file is not as it was written.
    """
    if verify is not None:
        if out is not None or extra or source is not None or dry:
            raise JobError("wheelhouse: --verify DIR stands alone.")
        checked = modalloy.verify_wheelhouse(verify)
        typer.echo(checked.text())
        raise typer.Exit(0 if checked.ok else 1)
    if out is None:
        raise JobError("wheelhouse: give the folder to write, or --verify DIR.")
    made = modalloy.wheelhouse(out, extras=extra or (), source=source, dry=dry)
    typer.echo(made.text())
