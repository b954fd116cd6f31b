"""`modalloy check`: tells what is wrong before training."""

import typer

import modalloy
from modalloy.commands.arguments import JobFile


def check(job: JobFile) -> None:
    """Find what is wrong before training.

    Leaks across the split, unreadable files, constant columns, rare classes, missing cells; and
    how many minutes and how much memory the training will take. Exit code 1 if `train` refuses.
    """
    found = modalloy.check(job)
    typer.echo(found.text())
    raise typer.Exit(0 if found.ok else 1)
