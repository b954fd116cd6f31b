"""A job and an open table in, a finished run out: the whole way from check to report."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from modalloy import config
from modalloy.errors import LeakError, RunError, TableError
from modalloy.job import FRAME, check_against
from modalloy.judge.evaluate import Extras, evaluate_rows, first_figures, truth_of
from modalloy.judge.frozen import Embeddings, frozen_embeddings
from modalloy.learn import processes
from modalloy.learn.frozen import frozen_features
from modalloy.learn.train import AGAIN, LAST, Progress, train_model
from modalloy.limits import cores
from modalloy.model.batches import Rows
from modalloy.model.model import Model
from modalloy.report import Report
from modalloy.run import Run, save_run
from modalloy.table.build import fit_readers, fit_targets
from modalloy.table.check import Check, check
from modalloy.table.finding import finding
from modalloy.table.prints import fingerprints, same_parts, seen_before
from modalloy.table.reader import Cells
from modalloy.table.split import Parts, joined, split_job
from modalloy.table.table import Table, open_table

FIT_ROWS = 20_000  # training rows that readers are fitted on


def train_run(job: config.Job, table: Table, out: Path, *, resume: bool, quiet: bool) -> Run:
    """Check, read, train, evaluate and report."""
    start = time.perf_counter()
    rank, world = processes.start()
    torch.set_num_threads(max(1, cores() // world))
    refuse_used(out, resume)
    parts = split_job(table, job)
    found = check(job, table, parts)
    refuse_findings(found, job)
    learned = learn_job(job, table, parts, out, resume=resume, quiet=quiet)
    processes.stop()
    model, rows, progress = learned.model, learned.rows, learned.progress
    trained_s = time.perf_counter() - start
    notes = {
        "epochs": progress.epoch,
        "best_epoch": progress.best_epoch + 1,
        "refit": learned.refit,
        "precision": "bfloat16" if progress.half else "float32",
        "channels_last": progress.channels_last,
        "probe_s": progress.probe,
        "processes": world,
        "curves": progress.curves,
        "seconds": {"training": trained_s},
        "findings": [f.as_dict() for f in found.findings],
    }
    if rank > 0:
        return Run(out, job, rows.readers, rows.targets, model.trunk_configs(), notes)
    prints = Parts(*(fingerprints(table, job, part) for part in parts))
    run = save_run(out, job, rows.readers, rows.targets, model, prints, notes)
    extras = Extras(
        learned.parts,
        learned.embeddings,
        notes["findings"],
        progress.curves,
        {"training": trained_s},
        refit=learned.refit,
        before=learned.before or {},
    )
    evaluate_rows(model, rows, parts.test, extras, out / "report.html", quiet=quiet)
    for checkpoint in (LAST, AGAIN):
        (out / checkpoint).unlink(missing_ok=True)
    return run


class Learned(NamedTuple):
    """A trained model, the rows as it reads them, what baselines start from, and how it went."""

    model: Model
    rows: Rows
    parts: Parts
    embeddings: Embeddings | None
    progress: Progress
    refit: bool = False  # the validation rows were learned from too
    before: dict[str, dict[str, Any]] | None = None  # figures by task before the first step


def learn_job(
    job: config.Job, table: Table, parts: Parts, out: Path, *, resume: bool, quiet: bool
) -> Learned:
    """Learn with the validation rows kept apart; with `refit`, then from them too.

    A second training that is interrupted leaves the first one's model.
    """
    first = learn(job, table, parts, out, resume=resume, quiet=quiet)
    if not job.train.refit or first.progress.interrupted or first.progress.best is None:
        return first
    every = joined(first.parts)
    again = learn(job, table, every, out, resume=resume, quiet=quiet, like=first.progress)
    if again.progress.interrupted:
        return first
    return first._replace(model=again.model, rows=again.rows, refit=True)


def learn(
    job: config.Job,
    table: Table,
    parts: Parts,
    out: Path,
    *,
    resume: bool,
    quiet: bool,
    like: Progress | None = None,
) -> Learned:
    """Fit readers, build the model and train it; `like` repeats an earlier training."""
    rank, _ = processes.start()
    quieter = quiet or rank > 0
    rows = open_rows(job, table, parts)
    parts = Parts(rows.labelled(parts.train), rows.labelled(parts.validation), parts.test)
    torch.manual_seed(job.seed)
    model = Model(job, rows.readers, rows.targets, pretrained=True)
    frozen_features(model, rows, np.concatenate(parts), quiet=quieter)
    embeddings, before = None, {}
    if rank == 0 and like is None:
        seen = joined(parts) if job.train.refit else parts
        embeddings = frozen_embeddings(model, rows, seen, quiet=quieter)
        before = first_figures(model, rows, parts.test)
    progress = train_model(model, rows, parts, job, out, resume=resume, quiet=quiet, like=like)
    return Learned(model, rows, parts, embeddings, progress, before=before)


def evaluate_run(run: Run, table: Any, out: Path | None, *, quiet: bool) -> Report:
    """Score a run on its own test rows, or on all rows of another table that have an answer."""
    torch.set_num_threads(cores())
    page = out or run.path / ("report.html" if table is None else "evaluated.html")
    if table is None:
        rows, which, extras = own_rows(run)
    else:
        rows, which, extras = given_rows(run, open_table(table))
    return evaluate_rows(run.model(), rows, which, extras, page, quiet=quiet)


def own_rows(run: Run) -> tuple[Rows, np.ndarray, Extras]:
    """The test rows of a run's own table; RunError where it no longer holds the rows it held."""
    if run.job.table == FRAME:
        raise RunError(
            f"{run.path}: was trained on a frame in memory; give the table to evaluate on."
        )
    table = open_table(run.job.table, sheet=run.job.sheet)
    check_against(run.job, table)
    parts = split_job(table, run.job)
    if not same_parts(table, run.job, parts, run.prints()):
        raise RunError(
            f"{run.path}: {table.source} no longer holds the rows that this run was trained and "
            "tested on, so nobody can say which of them are new to the model. Put the old table "
            f"back, or score all rows of this one: `modalloy evaluate {run.path} {table.source}`."
        )
    rows = Rows(table, run.job, run.readers, run.targets, cache_gb=0.0)
    saved = run.path / "report.json"
    known = Report.load(saved) if saved.is_file() else None
    extras = Extras(
        Parts(rows.labelled(parts.train), rows.labelled(parts.validation), parts.test),
        None,
        run.notes["findings"],
        run.notes["curves"],
        run.notes["seconds"],
        known,
        run.notes["refit"],
        known.before if known else {},
    )
    return rows, parts.test, extras


def given_rows(run: Run, table: Table) -> tuple[Rows, np.ndarray, Extras]:
    """All rows of another table that some task has an answer for; rows learned from are named.

    The table needs the columns of one target; any other column that it lacks counts as missing.
    """
    rows = Rows(table, run.job, run.readers, run.targets, cache_gb=0.0)
    truths = truth_of(rows, np.arange(table.rows)).values()
    which = np.flatnonzero([any(t is not None for t in row) for row in zip(*truths, strict=True)])
    if not len(which):
        targets = ", ".join(f"'{c}'" for t in run.targets.values() for c in t.columns)
        raise TableError(
            f"{table.source}: no row has an answer to compare with: {targets} is absent or empty. "
            "`modalloy predict` answers rows without one."
        )
    prints = run.prints()
    learned = np.concatenate([prints.train, prints.validation])
    known = which[seen_before(fingerprints(table, run.job, which), learned)]
    findings = []
    if len(known):
        what = f"{len(known)} of {len(which)} rows are rows that the model has learned from"
        findings.append(finding("leak", "rows", what, known).as_dict())
    return rows, which, Extras(findings=findings)


def open_rows(job: config.Job, table: Table, parts: Parts) -> Rows:
    """Readers and targets fitted on training rows, and the rows they read."""
    sample = parts.train
    if len(sample) > FIT_ROWS:
        sample = np.sort(np.random.default_rng(job.seed).choice(sample, FIT_ROWS, replace=False))
    empty = Rows(table, job, {}, {})

    def cells_of(columns: tuple[str, ...]) -> Cells:
        return empty.cells(columns, sample)

    readers = fit_readers(job, cells_of)
    targets = fit_targets(job, lambda columns: empty.cells(columns, parts.train))
    strict = job.unreadable == "refuse"
    return Rows(table, job, readers, targets, strict=strict, cache_gb=job.train.cache_gb)


def refuse_used(out: Path, resume: bool) -> None:
    """A run directory is written once; an interrupted training is only gone on with when asked."""
    if (out / "run.json").is_file():
        raise RunError(f"{out}: holds a finished run; give another directory.")
    if (out / LAST).is_file() and not resume:
        raise RunError(
            f"{out}: holds an interrupted training; go on with --resume, or give another directory."
        )


def refuse_findings(found: Check, job: config.Job) -> None:
    """Stop at what makes training senseless, and at leaks unless the job allows them."""
    errors = [f for f in found.findings if f.level == "error"]
    if errors:
        raise TableError("; ".join(f"{f.where}: {f.what}" for f in errors[:5]))
    leaks = [f for f in found.findings if f.level == "leak"]
    if leaks and not job.allow_leak:
        raise LeakError(
            "; ".join(f"{f.where}: {f.what}" for f in leaks[:5])
            + ". Split by group or leave the column out; or set allow_leak: true, and the report "
            "will say so."
        )
