"""One training at a time in a run directory, and no finished run lost."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from modalloy.errors import RunError
from modalloy.job import config
from modalloy.learn.progress import AGAIN, LAST
from modalloy.machine.files import locked, remove_leftovers
from modalloy.runs.parts import PAGE, PARTS
from modalloy.runs.rows import load_prints
from modalloy.runs.run import PRETRAINED, load_run
from modalloy.runs.seal import staged
from modalloy.table.fingerprints import same_parts
from modalloy.table.split import Parts
from modalloy.table.table import Table


@contextmanager
def claim(out: Path, *, resume: bool) -> Iterator[None]:
    """Make the directory and hold it while training; RunError where it is in use or cannot be.

    Whether it may be used is asked once it is held: until then another training may finish in it,
    or be about to write its report.
    """
    made = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"{out}: this directory cannot be made ({error.strerror}); give another one."
        ) from error
    try:
        with locked(out / "training.lock", f"{out}: another training writes to this directory."):
            refuse_used(out, resume)
            for folder in (out, (out / LAST).parent):
                remove_leftovers(folder)
            for name in PARTS:  # of a run that was never sealed
                staged(out, name).unlink(missing_ok=True)
            yield
    finally:
        if made:
            with suppress(OSError):  # stays where something was written, or another one holds it
                out.rmdir()


def refuse_used(out: Path, resume: bool) -> None:
    """A run directory is written once; an interrupted training is only gone on with when asked.

    A finished run that lacks its report, in either form, is told how to get it.
    """
    begun = any((out / path).is_file() for path in (LAST, AGAIN))
    if (out / "run.json").is_file():
        run = load_run(out, pretrained=True)
        begun, page = bool(run.notes.get("interrupted")), out / PAGE
        reported = run.kind == PRETRAINED  # its page is a part of it
        if (
            not begun
            and not reported
            and not (page.is_file() and page.with_suffix(".json").is_file())
        ):
            raise RunError(
                f"{out}: holds a finished run without its report; `modalloy evaluate {out}` writes "
                "it, or give another directory."
            )
        if not begun:
            raise RunError(f"{out}: holds a finished run; give another directory.")
    if begun and not resume:
        raise RunError(
            f"{out}: holds an interrupted training; go on with --resume, or give another directory."
        )


def refuse_changed(out: Path, table: Table, job: config.Job, parts: Parts) -> None:
    """Refuse to go on where the table's rows are not those that the training began with.

    It may have begun with an older version, whose fingerprints were made otherwise.
    """
    before = load_prints(out)
    if before is not None and not same_parts(table, job, parts, before):
        raise RunError(
            f"{out}: {table.source} no longer holds the rows that this training began with, or "
            "splits them otherwise; put the old table back, or train into another directory."
        )
