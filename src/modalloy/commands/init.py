"""`modalloy init`: prints a job file for a table."""

from typing import Annotated

import typer

import modalloy
from modalloy.commands.arguments import Sheet, Table


def init(
    table: Table,
    target: Annotated[list[str], typer.Option("--target", "-t", help="Column to answer.")],
    sheet: Sheet = None,
    minutes: Annotated[
        float | None, typer.Option(help="What `train` may take in all, on this machine.")
    ] = None,
) -> None:
    """Print a job file for a table.

    Looks at every column, says why it takes it for what, and writes every default as a comment:
    `modalloy init parts.csv --target fault > job.yaml`.
    """
    typer.echo(modalloy.init(table, target=target, sheet=sheet, minutes=minutes), nl=False)
