"""`modalloy tune`: searches a job's options and tells what it tried."""

from pathlib import Path
from typing import Annotated

import typer

import modalloy
from modalloy.commands.arguments import JobFile
from modalloy.commands.terminal import INTERRUPTED, take_cores
from modalloy.tuning.manner import Cost, Pruner, Sampler


def tune(
    job: JobFile,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="STUDY", help="Folder to write.")],
    minutes: Annotated[
        float | None, typer.Option(help="Of everything, the last training by its estimate.")
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Of the study in all; else 20.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that search here.")] = 1,
    storage: Annotated[
        str | None, typer.Option(metavar="URL", help="Database for several machines.")
    ] = None,
    sampler: Annotated[
        Sampler | None, typer.Option(help="Who draws: tpe, gp, bandit; nsga2 with --against.")
    ] = None,
    pruner: Annotated[Pruner, typer.Option(help="Who ends poor trials early.")] = "median",
    against: Annotated[
        Cost | None, typer.Option(help="Weigh the score against this cost too.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a study.")] = False,
) -> None:
    """Search the options of a job, then train the best one.

    Judged by validation rows alone. The folder holds the study, the best job, its run and a page.
    """
    take_cores()
    try:
        found = modalloy.tune(
            job,
            out=out,
            minutes=minutes,
            trials=trials,
            workers=workers,
            storage=storage,
            sampler=sampler,
            pruner=pruner,
            against=against,
            resume=resume,
        )
    except KeyboardInterrupt as error:
        typer.echo("error: tune was interrupted; --resume goes on with the study.", err=True)
        raise typer.Exit(INTERRUPTED) from error
    typer.echo(found.text())
    typer.echo(f"\nThe best job is {out / 'best.yaml'}, its run {out / 'best'}.")
    typer.echo(f"What was tried is on {out / 'tune.html'}; open it in a browser.")
