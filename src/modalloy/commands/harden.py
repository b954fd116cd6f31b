"""`modalloy harden`: learns on under attack and tells how far answers hold, before and after."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

import modalloy
from modalloy.commands.arguments import RunFolder, Sheet
from modalloy.commands.terminal import take_cores, tell_caveats
from modalloy.errors import JobError


def harden(
    run: RunFolder,
    table: Annotated[
        str | None, typer.Argument(help="Rows to learn from; the run's own otherwise.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="NEWRUN", help="Folder to write; RUN-hardened."),
    ] = None,
    training: Annotated[
        str | None, typer.Option(help="fgsm_rs, pgd, trades, freelb, corruptions; else the job's.")
    ] = None,
    budget: Annotated[
        list[str] | None,
        typer.Option("--budget", metavar="COLUMN=SIZE", help="As in photo=8/255; once a column."),
    ] = None,
    sheet: Sheet = None,
) -> None:
    """Learn on under attack, so that answers hold.

    Where cells are attacked, worn or wrong. The page is NEWRUN/robustness.html: clean rows, each
    attack, one column lying, corruptions, before and after.
    """
    from modalloy.hardening.harden_run import PAGE, say_changes

    take_cores()
    given = budgets(budget or ())
    made = modalloy.harden(run, table, out=out, training=training, budgets=given, sheet=sheet)
    typer.echo(say_changes(made.notes))
    typer.echo(f"\nThe run is {made.path}, its page {made.path / PAGE}.")
    said = [f for f in made.notes["hardened"]["said"] if f["where"] != "robust"]
    tell_caveats([f["text"] for f in said], strict=False)


def budgets(given: Iterable[str]) -> dict[str, str]:
    """Sizes by column from `COLUMN=SIZE`; a sentence where one is not written so."""
    found = {}
    for text in given:
        column, equals, size = text.rpartition("=")
        if not equals or not column.strip() or not size.strip():
            raise JobError(f"--budget: write COLUMN=SIZE such as photo=8/255, not '{text}'.")
        found[column.strip()] = size.strip()
    return found
