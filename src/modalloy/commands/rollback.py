"""`modalloy rollback`: the version of a served model that answered before does so again."""

from typing import Annotated

import typer

import modalloy
from modalloy.commands.arguments import Live, RunOrBundle


def rollback(
    run: RunOrBundle,
    live: Live = None,
    why: Annotated[str, typer.Option(help="Why; the history keeps it.")] = "asked for",
) -> None:
    """Let the version of a served model answer again that did before the current one."""
    version = modalloy.rollback(run, live=live, why=why)
    typer.echo(f"Version {version.number} answers again: {version.path}.")
