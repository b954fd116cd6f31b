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
    take_cores(run)
    given = {"sheet": sheet, "adapter": adapter, "device": device, "trust": trust}
    if out is None:
        answers = modalloy.predict(run, table, **given)
        typer.echo(answers.to_csv(index=False), nl=False)
        told = answers.attrs
    else:
        written = modalloy.predict_into(run, table, out, **given)
        typer.echo(f"{written.rows} rows answered in {out}")
        told = written.attrs
    if "saved" in told:
        from modalloy.answer.saved import say_saved

        typer.echo(say_saved(told["saved"]), err=out is None)
    tell_notes(told.get("notes", ()))
    tell_caveats(told.get("caveats", ()), strict=strict)
