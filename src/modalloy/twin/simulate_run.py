"""`simulate`: the runs of a plan in a pool of processes, recorded one by one, and their rows."""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from modalloy.errors import TwinError
from modalloy.job.faults import as_json
from modalloy.machine.progress import Bar
from modalloy.twin.asked import Asked
from modalloy.twin.described import expected_of, limits_of, simulator_of
from modalloy.twin.fingerprint import content, fingerprint
from modalloy.twin.journal import Header, Journal, Recorded
from modalloy.twin.pool import Pool
from modalloy.twin.rows_file import beside, check_place, rows_of, write_rows
from modalloy.twin.runs import MEDIA, Outcome, Task
from modalloy.twin.simulated import Simulated, summed_up
from modalloy.twin.tasks import tasks_of
from modalloy.twin.twin import FmuSimulator, Twin

FOLDER = "media"
RECORD = ".runs.jsonl"


def simulate_run(
    twin: Twin,
    asked: Asked,
    out: Path,
    *,
    show_hidden: bool = False,
    workers: int | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> Simulated:
    """Run a plan and write a row a run.

    Beside the rows `out` lie `NAME.json`, `NAME.runs.jsonl`, the record from which `resume` goes
    on, and `media/NAME/` with files RUN-OUTPUT. Rows do not depend on how many workers there are,
    nor on how often they were stopped. TwinError where `out` is taken, the record is of something
    else, or no run could succeed.
    """
    check_place(out)
    record = out.with_suffix(RECORD)
    refuse_taken(out, record, resume=resume)
    tasks = tasks_of(twin, asked)
    mark = fingerprint(twin)
    planned = json.loads(as_json(asked.in_json()))
    header = Header(mark, content(twin), planned, asked.seed, versions(twin))
    media = Path(FOLDER) / out.stem
    with Journal(record, header) as journal:
        try:
            run_missing(twin, tasks, journal, out.parent / media, workers=workers, quiet=quiet)
        except BaseException:
            if not journal.runs:
                record.unlink()  # there is nothing to go on from
            raise
        outcomes = [journal.runs[task.run].outcome for task in tasks]
        # What was run counts, should a later version of a library plan otherwise.
        done = [task._replace(values=journal.runs[task.run].values) for task in tasks]
        made = {
            "twin": twin.name,
            "fingerprint": mark,
            "plan": planned,
            "seed": asked.seed,
            "versions": journal.versions,
        }
        rows = rows_of(twin, done, outcomes, media.as_posix(), unseen=show_hidden)
        write_rows(twin, rows, out, made)
    return summed_up(twin, outcomes, rows, out, mark)


def refuse_taken(out: Path, record: Path, *, resume: bool) -> None:
    """TwinError where rows or a record of them are there, and nothing is to go on with them."""
    if resume:
        if out.exists() and not record.exists():
            raise TwinError(
                f"{out}: its record {record.name} is gone, so that nothing can go on; give "
                "another name."
            )
        return
    for path in (out, record, beside(out)):
        if path.exists():
            raise TwinError(f"{path}: is there already; go on with --resume, or give another name.")


def run_missing(
    twin: Twin,
    tasks: list[Task],
    journal: Journal,
    media: Path,
    *,
    workers: int | None,
    quiet: bool,
) -> None:
    """Run what the record lacks, and add it."""
    open_ = [task for task in tasks if task.run not in journal.runs]
    if not open_:
        return
    files = [name for name, output in twin.outputs.items() if output.type in MEDIA]
    values = {task.run: task.values for task in open_}
    pool = Pool(
        simulator_of(twin),
        expected_of(twin),
        limits_of(twin),
        variables=[*twin.variables, *twin.hidden],
        workers=workers,
        media=media if files else None,
    )
    bad = 0
    with pool, Bar(f"simulating {twin.name}", len(open_), quiet=quiet) as bar:
        for outcome in pool.run(open_):
            bad += outcome.status != "ok"
            flat = flattened(outcome, files, media)
            journal.add(Recorded(flat, values[outcome.run]))
            bar.advance(note=f"{bad} not ok" if bad else None)


def flattened(outcome: Outcome, files: list[str], media: Path) -> Outcome:
    """The same with its files as media/RUN-OUTPUT.ending, out of the folder of their own."""
    if outcome.status != "ok" or not files:
        return outcome
    told = dict(outcome.outputs)
    for name in files:
        written = media / told[name]
        told[name] = f"{outcome.run}-{plain(name)}{written.suffix}"
        os.replace(written, media / told[name])
    shutil.rmtree(media / str(outcome.run), ignore_errors=True)
    return outcome._replace(outputs=told)


def plain(name: str) -> str:
    """A name as part of a file's."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)


def versions(twin: Twin) -> Mapping[str, str]:
    """What rows depend on beside the twin."""
    of = ["modalloy", "numpy", "scipy"]
    of += ["fmpy"] if isinstance(twin.simulator, FmuSimulator) else []
    found: dict[str, Any] = {name: version(name) for name in of}
    return {"python": sys.version.split()[0], **found}
