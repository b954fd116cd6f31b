"""`simulate`: the runs of a plan in a pool of processes, recorded one by one, and their rows."""

import json
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from modalloy.errors import TwinError
from modalloy.job.faults import as_json
from modalloy.twin.asked import Asked
from modalloy.twin.batches import Batches
from modalloy.twin.fingerprint import content, fingerprint
from modalloy.twin.journal import Header, Journal, Recorded
from modalloy.twin.recording import Recording
from modalloy.twin.rows_file import beside, check_place, rows_of, write_rows
from modalloy.twin.runs import Outcome, Task
from modalloy.twin.simulated import Simulated, summed_up
from modalloy.twin.tasks import checked, designs_at, numbered, tasks_of
from modalloy.twin.twin import FmuSimulator, Twin

FOLDER = "media"
RECORD = ".runs.jsonl"


def simulate_run(
    twin: Twin,
    asked: Asked,
    out: Path,
    *,
    batches: Batches | None = None,
    show_hidden: bool = False,
    workers: int | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> Simulated:
    """Run a plan and write a row a run. batches: choose the runs of an active plan.

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
    header = Header(mark, content(twin), planned, asked.seed, versions(twin, asked))
    media = Path(FOLDER) / out.stem
    total = len(tasks) + sum(batches.sizes if batches is not None else ())
    with Journal(record, header) as journal:
        given = {"workers": workers, "quiet": quiet}
        try:
            with Recording(twin, journal, out.parent / media, total, **given) as recording:
                done = run_all(twin, asked, tasks, batches, recording)
        except BaseException:
            if not journal.runs:
                record.unlink()  # there is nothing to go on from
            raise
        known = None if batches is None else batches.known(*told(done))
        made = {
            "twin": twin.name,
            "fingerprint": mark,
            "plan": planned,
            "seed": asked.seed,
            "versions": journal.versions,
            **({} if known is None else {"known": known}),
        }
        outcomes = [one.outcome for one in done]
        ran = [Task(one.outcome.run, one.values, one.outcome.seed) for one in done]
        rows = rows_of(twin, ran, outcomes, media.as_posix(), unseen=show_hidden)
        write_rows(twin, rows, out, made)
    return summed_up(twin, outcomes, rows, out, mark)._replace(known=known)


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


def run_all(
    twin: Twin,
    asked: Asked,
    tasks: list[Task],
    batches: Batches | None,
    recording: Recording,
) -> list[Recorded]:
    """Run what the record lacks, batch after batch; every run as it is on record, in order.

    A batch that is on record whole is not chosen again. What was run counts, should a later version
    of a library plan otherwise.
    """
    runs = recording.journal.runs
    recording.run(tasks)
    done = [runs[task.run] for task in tasks]
    if batches is None:
        return done
    fixed = checked(twin, asked.fixed, "set: ")
    for count in batches.sizes:
        first = len(done)
        if any(run not in runs for run in range(first, first + count)):
            u_ND = batches.chosen(*told(done), count)
            designs = designs_at(twin, fixed, batches.space, u_ND)
            recording.run(numbered(twin, asked, designs, first=first))
        done += [runs[run] for run in range(first, first + count)]
    return done


def told(done: Sequence[Recorded]) -> tuple[list[Mapping[str, Any]], list[Outcome]]:
    """What was set in some runs, and what came of them."""
    return [one.values for one in done], [one.outcome for one in done]


def versions(twin: Twin, asked: Asked) -> Mapping[str, str]:
    """What rows depend on beside the twin."""
    of = ["modalloy", "numpy", "scipy"]
    of += ["torch"] if asked.choosing is not None else []
    of += ["fmpy"] if isinstance(twin.simulator, FmuSimulator) else []
    found: dict[str, Any] = {name: version(name) for name in of}
    return {"python": sys.version.split()[0], **found}
