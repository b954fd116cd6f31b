"""`modalloy pretrain`: learns from rows without labels, for `train` to start from."""

import os
from pathlib import Path
from typing import Annotated

import typer

import modalloy
from modalloy.commands.arguments import JobFile
from modalloy.commands.terminal import INTERRUPTED, notes_in, take_cores, tell_notes


def pretrain(
    job: JobFile,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="RUN", help="Folder to write.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it was stopped.")] = False,
) -> None:
    """Learn from rows without labels and write a run to start training from.

    All training rows teach, labelled or not, and further tables that the job names; rows that are
    held back do not. Then `train: {start: RUN}` in a job takes over what fits.
    """
    take_cores()
    try:
        run = modalloy.pretrain(job, out=out, resume=resume)
    except KeyboardInterrupt as error:
        begun = any(out.glob("checkpoints/*.safetensors"))
        goes_on = "; --resume goes on from the last checkpoint" if begun else ""
        typer.echo(f"error: pretrain was interrupted{goes_on}.", err=True)
        raise typer.Exit(INTERRUPTED) from error
    if int(os.environ.get("RANK", "0")) == 0:  # under torchrun, the first process speaks for all
        from modalloy.report.pretrained import said_losses

        typer.echo(said_losses(run.notes))
        typer.echo(
            f"\nThe run is {run.path}; `train: {{start: {run.path}}}` in a job starts from it."
        )
        tell_notes(notes_in(run.notes.get("findings", ())))
    if run.notes["interrupted"]:
        typer.echo(
            "Pretraining was interrupted; the run holds its best weights so far, "
            "and --resume goes on.",
            err=True,
        )
        raise typer.Exit(INTERRUPTED)
