"""`modalloy draw`: draws cells that a pretrained run makes up, on a contact sheet."""

from pathlib import Path
from typing import Annotated

import typer

import modalloy
from modalloy.commands.arguments import RunFolder, Sheet
from modalloy.commands.terminal import take_cores


def draw(
    run: RunFolder,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="PNG", help="Sheet to write.")],
    like: Annotated[
        str | None, typer.Option("--like", metavar="TABLE", help="Rows whose cells steer.")
    ] = None,
    complete: Annotated[
        float | None,
        typer.Option("--complete", metavar="SHARE", help="Draw this last share of each cell."),
    ] = None,
    column: Annotated[
        str | None, typer.Option("--column", metavar="NAME", help="What to draw; else the first.")
    ] = None,
    rows: Annotated[int, typer.Option("--rows", help="How many rows.")] = 12,
    each: Annotated[int, typer.Option("--each", help="Draws a row.")] = 4,
    temperature: Annotated[
        float, typer.Option("--temperature", help="Below 1: likelier and less varied.")
    ] = 1.0,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, other draws.")] = 0,
    sheet: Sheet = None,
) -> None:
    """Draw pictures, series or spectrograms as a pretrained run expects them.

    From nothing; steered by the other columns of rows (--like); or as the end of cells that rows
    hold (--like and --complete). The run must have learned by `pretrain: {autoregress: {}}`.
    """
    take_cores()
    found = modalloy.draw(
        run,
        like=like,
        complete=complete,
        column=column,
        rows=rows,
        each=each,
        temperature=temperature,
        seed=seed,
        out=out,
        sheet=sheet,
    )
    typer.echo(
        f"column {found.column}: {len(found.numbers)} rows, {len(found.samples[0])} draws each, "
        f"on {out}"
    )
    for note in found.notes:
        typer.echo(f"note: {note}")
