"""`modalloy train`: trains a job's tasks and tells the figures of its report."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import modalloy
from modalloy.commands.arguments import JobFile
from modalloy.commands.terminal import INTERRUPTED, notes_in, take_cores, tell_notes

if TYPE_CHECKING:
    from modalloy.judge.report import Report


def train(
    job: JobFile,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="RUN", help="Folder to write.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it was stopped.")] = False,
) -> None:
    """Train all tasks of a job and write a run.

    A run is a folder: the job, the readers, the weights, the report as JSON and as one HTML page.
    """
    take_cores()
    try:
        run = modalloy.train(job, out=out, resume=resume)
    except KeyboardInterrupt as error:
        typer.echo(f"error: train was interrupted{_goes_on(out)}.", err=True)
        raise typer.Exit(INTERRUPTED) from error
    if int(os.environ.get("RANK", "0")) == 0:  # under torchrun, the first process speaks for all
        typer.echo(_report_of(run.path).text())
        typer.echo(f"\nThe run is {run.path}; open {run.path / 'report.html'} in a browser.")
        tell_notes(notes_in(run.notes.get("findings", ())))
    if run.notes["interrupted"]:
        typer.echo(
            "Training was interrupted; the run holds its best weights so far, "
            "and --resume goes on.",
            err=True,
        )
        raise typer.Exit(INTERRUPTED)


def _goes_on(out: Path) -> str:
    """What to do after an interrupted training, by what it left behind."""
    if not (out / "run.json").is_file():
        begun = any(out.glob("checkpoints/*.safetensors"))
        return "; --resume goes on from the last checkpoint" if begun else ""
    if (out / "report.html").is_file():
        return ""
    return f"; the run is whole but for its report, which `modalloy evaluate {out}` writes"


def _report_of(run: Path) -> "Report":
    """The figures that a run holds."""
    from modalloy.judge.report import Report

    return Report.load(run / "report.json")
