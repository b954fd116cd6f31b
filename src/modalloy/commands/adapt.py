"""`modalloy adapt`: fine-tunes a run on new rows, or adapts it without labels, and tells what changed."""

from pathlib import Path
from typing import Annotated, Any, cast

import typer

import modalloy
from modalloy.commands.arguments import RunFolder, Sheet, Table
from modalloy.commands.terminal import take_cores


def adapt(
    run: RunFolder,
    table: Table,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="NEWRUN", help="Folder to write; RUN-adapted."),
    ] = None,
    method: Annotated[str, typer.Option(help="Which weights learn: head, last_n or full.")] = "full",
    last_n: Annotated[
        int, typer.Option("--last-n", help="Blocks of each pretrained encoder, for last_n.")
    ] = 2,
    minutes: Annotated[float | None, typer.Option(help="Of the training.")] = None,
    window: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="A row counts half for each 30d, say, that it is older."),
    ] = None,
    time: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Times of a window; else the job's.")
    ] = None,
    replay: Annotated[
        float | None, typer.Option(help="Share of each step that old training rows have.")
    ] = None,
    without_labels: Annotated[
        bool, typer.Option("--without-labels", help="Rows have no answers; nothing is fitted.")
    ] = False,
    tent: Annotated[
        bool, typer.Option("--tent", help="Without labels: make the entropy of classes small.")
    ] = False,
    canary: Annotated[
        str | None,
        typer.Option(metavar="TABLE", help="Without labels: labelled rows; what harms is undone."),
    ] = None,
    sheet: Sheet = None,
) -> None:
    """Fine-tune a run on new rows, or adapt it without labels.

    Figures before and after are of rows held back, and of the run's own test rows.
    """
    from modalloy.judge.compared import Compared

    take_cores()
    made = modalloy.adapt(
        run,
        table,
        out=out,
        method=cast("Any", method),
        last_n=last_n,
        minutes=minutes,
        window=window,
        time=time,
        replay=replay,
        without_labels=without_labels,
        tent=tent,
        canary=canary,
        sheet=sheet,
    )
    typer.echo(Compared.from_dict(made.notes["adapted"]["compared"]).text())
    typer.echo(f"\nThe run is {made.path}; `modalloy evaluate {made.path}` writes its report.")
