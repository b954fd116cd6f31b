"""The folder of a search: one search at a time in it, and always of one job and the same rows."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modalloy.errors import RunError
from modalloy.job import config
from modalloy.learn.progress import fingerprint
from modalloy.machine.files import locked, write_safely
from modalloy.table.fingerprints import fingerprints
from modalloy.table.split import Parts
from modalloy.table.table import Table
from modalloy.tuning.study import FILE

NOTES = "tune.json"


@contextmanager
def claimed(out: Path, *, resume: bool) -> Iterator[None]:
    """Make the folder and hold it; RunError where another search holds it or has been in it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"{out}: this directory cannot be made ({error.strerror}); give another one."
        ) from error
    with locked(out / "tune.lock", f"{out}: another search writes to this directory."):
        if (out / "run.json").is_file():
            raise RunError(f"{out}: holds a run; give another directory.")
        if (out / NOTES).is_file() and not resume:
            raise RunError(f"{out}: holds a study; go on with --resume, or give another directory.")
        yield


def identify(out: Path, job: config.Job, table: Table, parts: Parts, storage: str | None) -> str:
    """The name of the study of this job and these rows; RunError where the folder has another's."""
    path = Path(job.table).name  # another machine may have the table elsewhere
    own = fingerprint(job.model_copy(update={"table": path}))[:16]
    prints = [fingerprints(table, job, rows) for rows in (parts.train, parts.validation)]
    rows = hashlib.sha256(b"".join(p.tobytes() for p in prints)).hexdigest()[:16]
    before = read_notes(out)
    if before and before["job"] != own:
        raise RunError(
            f"{out}: holds a study of another job; give the job file that it was begun with (its "
            "`tune` section may change), or another directory."
        )
    if before and before["rows"] != rows:
        raise RunError(
            f"{out}: {table.source} no longer holds the rows that this study was begun with, or "
            "splits them otherwise; put the old table back, or give another directory."
        )
    write_notes(out, before | {"job": own, "rows": rows, "storage": storage or FILE})
    return f"modalloy {own} {rows}"


def read_notes(out: Path) -> dict[str, Any]:
    """What tune.json says; nothing where there is none."""
    path = out / NOTES
    return json.loads(path.read_text()) if path.is_file() else {}


def write_notes(out: Path, notes: dict[str, Any]) -> None:
    """Write tune.json."""
    write_safely(out / NOTES, (json.dumps(notes, indent=1) + "\n").encode())
