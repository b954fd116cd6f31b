"""One set: a network as it is trained, hardened, and trained without each of its columns."""

import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from bench.robustness.jobs import JOBS, job_of
from modalloy.answer.answers import Answers
from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.attacks.lying import lie
from modalloy.hardening.answers import answers_to
from modalloy.hardening.harden_run import harden_run
from modalloy.hardening.judged import drawn_rows
from modalloy.job import config
from modalloy.judge.compared import Compared
from modalloy.judge.metrics.score import score
from modalloy.judge.sections import Sections
from modalloy.learn.train_run import blend_and_save
from modalloy.learn.training import Learned, learn_job
from modalloy.model.tokens import Batch
from modalloy.readers.targets.target import names_of
from modalloy.runs.rows import save_prints
from modalloy.runs.run import Run
from modalloy.table.fingerprints import fingerprints
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts, split_job


class Measured(NamedTuple):
    """What was found of one set.

    columns: by column, accuracy of the hardened network where it alone is attacked or noise, by the
    worse, and of one that was trained without it; on the same rows. Another row's cell in its place
    is left out: of two columns that contradict each other nobody can say which one is right.
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
            worse = min(after["columns"].get(column, 1.0), accuracy_in_noise(new, column))
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


def accuracy_in_noise(run: Run, column: str) -> float:
    """Accuracy of a run's network on the rows that are attacked, where one column is noise."""
    predictor, table = Predictor(run), open_table(run.job.table)
    loader, model = predictor.open(table, answers=True).loader, predictor.model
    rows = drawn_rows(split_job(table, run.job).test, run.job.harden.rows)

    def change(batch: Batch, draw: torch.Generator) -> Batch:
        return lie(batch, model.readers, column, "noise", draw=draw)

    return accuracy(run.job, loader, rows, answers_to(model, loader, rows, change))


def accuracy(job: config.Job, loader: Loader, rows: np.ndarray, answers: Answers) -> float:
    """Accuracy of answers to these rows in the job's only task."""
    (task,) = job.tasks
    target = loader.targets[task]
    truth = target.truth(loader.cells(target.columns, rows))
    return float(score(job.tasks[task], truth, answers[task], names_of(target))["accuracy"])


def accuracy_without(job: config.Job, folder: Path) -> float:
    """Accuracy of a plain training of a job, on the rows that are attacked of the others."""
    learned, parts = learned_by(job, folder / "without")
    rows = drawn_rows(parts.test, job.harden.rows)
    return accuracy(job, learned.loader, rows, answers_to(learned.model, learned.loader, rows))
