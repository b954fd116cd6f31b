"""`modalloy explain`: tells why a run answers as it does."""

from pathlib import Path
from typing import Annotated

import typer

import modalloy
from modalloy.commands.arguments import RunFolder, Sheet, Table
from modalloy.commands.terminal import take_cores
from modalloy.errors import JobError


def explain(
    run: RunFolder,
    table: Table,
    row: Annotated[
        int | None, typer.Option("--row", help="Number of the row, from 0; else the whole table.")
    ] = None,
    task: Annotated[str | None, typer.Option("--task", help="One task; else all.")] = None,
    label: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="Class to explain; else answer.")
    ] = None,
    item: Annotated[int, typer.Option("--item", help="Which span or box, from 0.")] = 0,
    actionable: Annotated[
        str, typer.Option("--actionable", metavar="COLUMNS", help="Numbers one can change: a,b.")
    ] = "",
    past: Annotated[int, typer.Option("--past", min=0, help="How many past rows.")] = 3,
    lines: Annotated[
        str, typer.Option("--lines", help="Multiples of shaft speed to mark: 3.58,5.42.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="HTML", help="Page to write.")
    ] = None,
    sheet: Sheet = None,
) -> None:
    """Say why a row is answered as it is.

    What each column adds, where in its cells, the nearest past rows, and what would change it;
    without --row which columns carry which class. The page is RUN/explain.html, JSON beside it.
    """
    take_cores()
    page = out or run / "explain.html"
    found = modalloy.explain(
        run,
        table,
        row=row,
        task=task,
        label=label,
        item=item,
        actionable=[name.strip() for name in actionable.split(",") if name.strip()],
        past=past,
        lines=_numbers("--lines", lines),
        out=page,
        sheet=sheet,
    )
    typer.echo(found.text())
    typer.echo(f"\nThe page is {page}; open it in a browser.")


def _numbers(option: str, text: str) -> list[float]:
    """Numbers between commas; a sentence where one of them is none."""
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise JobError(f"{option}: '{text}' is no list of numbers such as 3.58,5.42.") from error
