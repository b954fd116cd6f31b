"""`modalloy doctor`: tells what is installed and works here."""

import typer

import modalloy


def doctor() -> None:
    """Say what is installed and works here, and what to do about the rest.

    Exit code 1 if something that every training needs is broken.
    """
    found = modalloy.doctor()
    found.print()
    raise typer.Exit(0 if found.ok else 1)
