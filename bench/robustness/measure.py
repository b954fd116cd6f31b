"""One set: a network as it is trained, hardened, and trained without each of its columns."""

import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.robustness.jobs import JOBS, job_of
from modalloy.hardening.answers import answers_to
from modalloy.hardening.harden_run import harden_run
from modalloy.hardening.judged import drawn_rows
from modalloy.job import config
from modalloy.judge.compared import Compared
from modalloy.judge.metrics.score import score
from modalloy.judge.sections import Sections
from modalloy.learn.train_run import blend_and_save
from modalloy.learn.training import Learned, learn_job
from modalloy.readers.targets.target import names_of
from modalloy.runs.rows import save_prints
from modalloy.runs.run import Run
from modalloy.table.fingerprints import fingerprints
from modalloy.table.split import Parts, split_job
from modalloy.table.table import open_table


class Measured(NamedTuple):
    """What was found of one set.

    columns: by column, accuracy of the hardened network where it alone is attacked or lies, by the
    worse, and of one that was trained without it; on the same rows.
    """

    found: Compared
    told: dict[str, Any]
    columns: dict[str, tuple[float, float]]
    seconds: float


def measure(name: str, data: Path, **harden: Any) -> Measured:
    """Train, harden, and train without each column."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="robustness-") as temporary:
        folder = Path(temporary)
        job = job_of(name, data, **harden)
        run = saved(job, folder / "run")
        new = harden_run(run, None, folder / "hardened", quiet=True)
        told = new.notes["hardened"]
        (task,) = job.tasks
        after = told["after"]["tasks"][task]
        columns = {}
        for column in JOBS[name]["columns"]:
            without = accuracy_without(job_of(name, data, without=column, **harden), folder)
            worse = min(after["columns"].get(column, 1.0), after["lying"][column])
            columns[column] = (worse, without)
    found = Compared.from_dict(told["compared"])
    return Measured(found, told, columns, time.perf_counter() - start)


def saved(job: config.Job, out: Path) -> Run:
    """A run as `train` leaves it, without its report."""
    start = time.perf_counter()
    learned, parts = learned_by(job, out)
    progress, table = learned.progress, learned.loader.table
    save_prints(out, Parts(*(fingerprints(table, job, part) for part in parts)))
    notes = {
        "epochs": progress.epoch,
        "batch": progress.batch,
        "interrupted": False,
        "refit": learned.refit,
        "curves": progress.curves,
        "seconds": {"training": time.perf_counter() - start},
        "findings": [],
    }
    return blend_and_save(learned, out, notes, Sections())[0]


def learned_by(job: config.Job, out: Path) -> tuple[Learned, Parts]:
    """A training of a job, and the parts of its table."""
    out.mkdir(exist_ok=True)
    table = open_table(job.table)
    parts = split_job(table, job)
    return learn_job(job, table, parts, out=out, quiet=True), parts


def accuracy_without(job: config.Job, folder: Path) -> float:
    """Accuracy of a plain training of a job, on the rows that are attacked of the others."""
    learned, parts = learned_by(job, folder / "without")
    rows = drawn_rows(parts.test, job.harden.rows)
    (task,) = job.tasks
    target = learned.loader.targets[task]
    truth = target.truth(learned.loader.cells(target.columns, rows))
    answer = answers_to(learned.model, learned.loader, rows)[task]
    return float(np.float64(score(job.tasks[task], truth, answer, names_of(target))["accuracy"]))
