"""A run directory in, the right to write it out: one training at a time, no finished run lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from modalloy.errors import RunError
from modalloy.files import locked
from modalloy.learn.train import LAST
from modalloy.run import load_prints, load_run
from modalloy.table.split import Parts


@contextmanager
def claim(out: Path, *, resume: bool, alone: bool) -> Iterator[None]:
    """Make the directory and hold it while training; RunError where it is in use or cannot be.

    alone: take the lock; of several processes of one training, the first one does.
    """
    refuse_used(out, resume)
    made = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"{out}: this directory cannot be made ({error.strerror}); give another one."
        ) from error
    if not alone:
        yield
        return
    try:
        with locked(out / "training.lock", f"{out}: another training writes to this directory."):
            yield
    finally:
        if made and not any(out.iterdir()):  # refused before anything was written
            out.rmdir()


def refuse_used(out: Path, resume: bool) -> None:
    """A run directory is written once; an interrupted training is only gone on with when asked."""
    begun = (out / LAST).is_file()
    if (out / "run.json").is_file():
        begun = bool(load_run(out).notes.get("interrupted"))
        if not begun:
            raise RunError(f"{out}: holds a finished run; give another directory.")
    if begun and not resume:
        raise RunError(
            f"{out}: holds an interrupted training; go on with --resume, or give another directory."
        )


def refuse_changed(out: Path, prints: Parts, source: str) -> None:
    """Refuse to go on where the table's rows are not those that the training began with."""
    before = load_prints(out)
    if before is None:
        return
    if not all(np.array_equal(a, b) for a, b in zip(before, prints, strict=True)):
        raise RunError(
            f"{out}: {source} no longer holds the rows that this training began with, or splits "
            "them otherwise; put the old table back, or train into another directory."
        )
