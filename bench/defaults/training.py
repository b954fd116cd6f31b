"""One training of a case in: `init`, the edits, `train`, in a process of their own; figures out."""

import json
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from bench.apart import peak_gb
from bench.defaults.case import Case, Places
from bench.defaults.edits import edited, for_choosing


class Trained(NamedTuple):
    """What one training reported and took."""

    report: dict[str, Any]
    edits: list[str]
    init_seconds: float
    seconds: float  # of `train`, its checks and its report
    cpu_seconds: float  # of all threads: what other work on the machine does not lengthen
    said_seconds: float
    peak_gb: float


class TooLong(NamedTuple):
    """What `check` says of a training that was not begun for it."""

    said_minutes: float


def train_once(
    case: Case,
    at: int,
    seed: int,
    places: Places,
    runs: Path | None,
    *,
    most_minutes: float | None,
    validation: bool,
) -> Trained | TooLong:
    """Train what `init` prints, with the case's split of this number where it has some.

    runs: where the run and its job are kept. most_minutes: as `check` estimates them, without its
    search for leaks. validation: test on validation rows.
    """
    import torch

    import modalloy as ma
    from modalloy.checks.estimate import estimate
    from modalloy.job.job_file import load_job
    from modalloy.machine.limits import cores
    from modalloy.table.open_table import open_table
    from modalloy.table.split import split_job

    torch.set_num_threads(cores())  # as the command does
    path = case.table(places)
    start = time.perf_counter()
    printed = ma.init(str(path), target=list(case.targets))
    init_seconds = time.perf_counter() - start
    text, edits = edited(printed, case, case.splits[at] if case.splits else None)
    job = load_job(text).model_copy(update={"seed": seed})
    table = open_table(job.table)
    if validation:
        text, table = for_choosing(text, job, table)
        job = load_job(text).model_copy(update={"seed": seed})
    said = estimate(job, table, split_job(table, job)).minutes
    if most_minutes is not None and said > most_minutes:
        return TooLong(said)
    with tempfile.TemporaryDirectory(prefix="defaults-") as temporary:
        folder = Path(temporary) if runs is None else runs
        out = folder / f"{case.name}-{at}-{seed}"
        out.mkdir(parents=True, exist_ok=True)
        (out / "printed.yaml").write_text(text)
        start, begun = time.perf_counter(), time.process_time()
        # The table as it lies, or the one in memory that says other parts.
        ma.train(job, out=out / "run", table=table if validation else None, quiet=True)
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - begun
        report = json.loads((out / "run" / "report.json").read_text())
    return Trained(report, edits, init_seconds, seconds, cpu_seconds, 60 * said, peak_gb())
