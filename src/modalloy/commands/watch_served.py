"""What `modalloy watch` does with a served model: its history, labels, refreshes; never a table."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from modalloy.commands.terminal import take_cores
from modalloy.deployment.deployment import Deployment, live_of
from modalloy.errors import JobError, RunError

if TYPE_CHECKING:
    from modalloy.table.table import Table

LOGGED = 100_000  # rows of the log that are looked at; a million would not fit into memory


def open_served(run: Path, live: Path | None) -> Deployment:
    """The deployment of a model that was served; RunError where it never was."""
    return Deployment.open(live_of(run) if live is None else live)


def logged_rows(deployment: Deployment) -> tuple[Path, "Table", str]:
    """The version that answers, the rows of the log, evenly spread where they are very many, and
    their column of times. RunError where no row was answered.
    """
    from modalloy.deployment.log_query import Which
    from modalloy.deployment.row_log import RowLog
    from modalloy.table.open_table import open_table

    log = RowLog(deployment.path)
    frame = log.frame(Which(spread=LOGGED))
    log.close()
    if not len(frame):
        raise RunError(f"{deployment.path}: no row was answered yet, or none was kept.")
    version = deployment.current()
    version.check()
    return version.path, open_table(frame, folder=deployment.path), frame.attrs["logged"]["at"]


def tell_status(deployment: Deployment) -> None:
    """Print what happened, and which version answers."""
    from modalloy.deployment.row_log import RowLog
    from modalloy.watching.status import status

    for line in status(deployment):
        typer.echo(line)
    log = RowLog(deployment.path)
    typer.echo(f"{log.rows()} rows are in the log, with {log.last_label()} labels.")
    if dropped := log.dropped():
        typer.echo(f"{dropped}.")
    log.close()


def take_labels(deployment: Deployment, table: str, source: str) -> None:
    """Keep the labels of a table."""
    from modalloy.bundle.bundled import load_any
    from modalloy.deployment.row_log import RowLog
    from modalloy.watching.label_file import label_from

    if not source.strip():
        raise JobError("--source: name who gave the labels; it is kept with each of them.")
    log = RowLog(deployment.path)
    targets = load_any(deployment.current().path).targets
    count = label_from(log, table, source=source, at=time.time(), targets=targets)
    log.close()
    typer.echo(f"{count} labels were kept, given by {source} where the table says nothing else.")


def tell_refresh(deployment: Deployment, *, if_due: bool) -> None:
    """Refresh, at once or where that is due, and print what came of it."""
    from modalloy.watching.drifted import drifted
    from modalloy.watching.served import refresh_if_due, refresh_served
    from modalloy.watching.status import in_words

    take_cores()

    def told(state: str) -> None:
        typer.echo(f"{state} ...", err=True)

    if if_due:
        found = refresh_if_due(deployment, drifted, told=told)
    else:
        found = refresh_served(deployment, "asked for", told=told)
    for record in found:
        typer.echo(in_words(record))
    if not found:
        typer.echo("Nothing is due.")
