"""`modalloy predict`: answers the rows of a table, into a file or printed."""

from pathlib import Path
from typing import Annotated

import typer

import modalloy
from modalloy.commands.arguments import (
    Adapter,
    DeviceName,
    RunOrBundle,
    Sheet,
    Strict,
    Table,
    Trust,
)
from modalloy.commands.terminal import take_cores, tell_caveats, tell_notes


def predict(
    run: RunOrBundle,
    table: Table,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Parquet or CSV to write; else printed."),
    ] = None,
    sheet: Sheet = None,
    strict: Strict = False,
    adapter: Adapter = None,
    device: DeviceName = "auto",
    trust: Trust = None,
) -> None:
    """Answer the rows of a table.

    With probabilities, and beside them the state of every cell that was read.
    """
    take_cores()
    asked = {"sheet": sheet, "adapter": adapter, "device": device, "trust": trust}
    answers = modalloy.predict(run, table, out=out, **asked)
    said = f"{len(answers)} rows answered in {out}\n" if out else answers.to_csv(index=False)
    typer.echo(said, nl=False)
    if "saved" in answers.attrs:
        from modalloy.answer.saved import say_saved

        typer.echo(say_saved(answers.attrs["saved"]), err=out is None)
    tell_notes(answers.attrs.get("notes", ()))
    tell_caveats(answers.attrs.get("caveats", ()), strict=strict)
