"""A job and an open table in, a finished run out: the whole way from check to report."""

import shutil
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from modalloy.answer.loader import Loader
from modalloy.answer.table_caveats import count_cells
from modalloy.cells.cells import Cells
from modalloy.checks.check import Check, check
from modalloy.checks.finding import finding
from modalloy.errors import LeakError, RunError, TableError
from modalloy.job import config
from modalloy.judge.before import Before, look_before
from modalloy.judge.sections import Sections
from modalloy.learn import processes
from modalloy.learn.calibrate import fit_stages
from modalloy.learn.frozen_features import frozen_features
from modalloy.learn.run_lock import claim, refuse_changed
from modalloy.learn.train import LAST, Progress, train_model
from modalloy.machine.limits import processes_here
from modalloy.model.device import placed
from modalloy.model.model import Model
from modalloy.readers.build import (
    fit_readers,
    fit_targets,
    from_state,
    targets_from_state,
    to_state,
)
from modalloy.report.card import write_card
from modalloy.report.evaluate import Extras, evaluate_rows
from modalloy.runs.parts import PAGE
from modalloy.runs.rows import save_prints
from modalloy.runs.run import Run
from modalloy.runs.saving import save_run
from modalloy.table.fingerprints import fingerprints
from modalloy.table.split import Parts, joined, learnable, split_job
from modalloy.table.table import Table

FIT_ROWS = 20_000  # training rows that readers are fitted on
COUNTED = "missing and unreadable cells of training, which other tables are compared with"


def train_run(job: config.Job, table: Table, out: Path, *, resume: bool, quiet: bool) -> Run:
    """Check, read, train, evaluate and report; of several processes the first one does the rest."""
    _, world = processes.start()
    with ExitStack() as held:

        def look() -> tuple[Parts, Check]:
            held.enter_context(claim(out, resume=resume))
            parts = split_job(table, job)
            found = check(job, table, parts)
            refuse_findings(found, job)
            if resume:
                refuse_changed(out, table, job, parts)
            save_prints(out, Parts(*(fingerprints(table, job, part) for part in parts)))
            return parts, found

        # One process reads every file and compares every row; the others wait for its verdict.
        parts, found = processes.first_decides(look, world)
        return learn_and_report(job, table, parts, found, out, resume=resume, quiet=quiet)


def learn_and_report(
    job: config.Job,
    table: Table,
    parts: Parts,
    found: Check,
    out: Path,
    *,
    resume: bool,
    quiet: bool,
) -> Run:
    """Train, then write the run and its report; what an interrupted training goes on from stays."""
    start = time.perf_counter()
    rank, world = processes.start()
    learned = learn_job(job, table, parts, out, resume=resume, quiet=quiet)
    processes.stop()
    model, loader, progress = learned.model, learned.loader, learned.progress
    trained_s = time.perf_counter() - start
    findings = [*found.findings]
    if learned.interrupted:
        findings.append(finding("warning", "training", say_interrupted(progress, job)))
    notes: dict[str, Any] = {
        "epochs": progress.epoch,
        "best_epoch": progress.best_epoch + 1,
        "interrupted": learned.interrupted,
        "refit": learned.refit,
        "precision": "bfloat16" if progress.half else "float32",
        "channels_last": progress.channels_last,
        "probe_s": progress.probe,
        "processes": world,
        "curves": progress.curves,
        "seconds": {"training": trained_s},
        "findings": [f.as_dict() for f in findings],
    }
    if rank > 0:
        return Run(
            out, job, loader.readers, loader.targets, model.trunk_configs(), notes, table.decimal
        )
    made = Sections(learned.before.failed if learned.before else ())
    counted = partial(count_cells, loader, learned.parts.train)
    notes["cells"] = made.run("cells", COUNTED, counted, {})
    stages = fit_stages(model, loader, learned.parts.calibration)
    given = (loader.readers, loader.targets, model, notes)
    run = save_run(out, job, *given, decimal=table.decimal, stages=stages)
    if not learned.interrupted:
        shutil.rmtree((out / LAST).parent, ignore_errors=True)
    report_on(learned, run, parts.test, made, quiet=quiet)
    return run


def report_on(
    learned: "Learned", run: Run, which: np.ndarray, made: Sections, *, quiet: bool
) -> None:
    """Write the report and the card of a run that is finished and sealed.

    made: with what could not be had for it until now.
    RunError where they cannot be written, with what to do; the run is whole and stays.
    """
    before = learned.before
    extras = Extras(
        learned.parts,
        before.embeddings if before else None,
        run.notes["findings"],
        run.notes["curves"],
        run.notes["seconds"],
        refit=learned.refit,
        before=before.figures if before else {},
        begun=True,
        failed=made.failed,
        stages=run.stages,
    )
    try:
        page = run.path / PAGE
        write_card(
            run, evaluate_rows(learned.model, learned.loader, which, extras, page, quiet=quiet)
        )
    except Exception as error:
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise RunError(
            f"{run.path}: the model is trained and saved, its report could not be written ({why}); "
            f"`modalloy evaluate {run.path}` writes it."
        ) from error


def say_interrupted(progress: Progress, job: config.Job) -> str:
    """What an interrupted training has reached."""
    done = f"interrupted after {progress.epoch} of {job.train.epochs} epochs"
    return f"{done}; the weights are the best until then, and --resume goes on"


class Learned(NamedTuple):
    """A trained model, the loader of its rows, what baselines start from, and how it went."""

    model: Model
    loader: Loader
    parts: Parts
    progress: Progress
    interrupted: bool = False  # by Ctrl-C, in the first or the second part
    refit: bool = False  # the validation rows were learned from too
    before: Before | None = None  # what was seen of it before the first step


def learn_job(
    job: config.Job, table: Table, parts: Parts, out: Path, *, resume: bool, quiet: bool
) -> Learned:
    """Learn with the validation rows kept apart; with `refit`, then from them too.

    A second training that is interrupted leaves the first one's model.
    """
    first = learn(job, table, parts, out, resume=resume, quiet=quiet)
    if not job.train.refit or first.progress.interrupted or first.progress.best is None:
        return first
    again = learn(job, table, joined(first.parts), out, resume=resume, quiet=quiet, first=first)
    if again.progress.interrupted:
        return first._replace(interrupted=True)
    return first._replace(model=again.model, loader=again.loader, refit=True)


def learn(
    job: config.Job,
    table: Table,
    parts: Parts,
    out: Path,
    *,
    resume: bool,
    quiet: bool,
    first: Learned | None = None,
) -> Learned:
    """Fit readers, build the model and train it; `first` is a training to repeat on other rows."""
    rank, _ = processes.start()
    quieter = quiet or rank > 0
    loader = open_loader(job, table, parts)
    if first is not None:
        loader.take_over(first.loader)
    parts = learnable(parts, loader.labelled)
    torch.manual_seed(job.seed)
    model = placed(Model(job, loader.readers, loader.targets, pretrained=True))
    frozen_features(model, loader, np.concatenate(parts), quiet=quieter)
    before = None
    if rank == 0 and first is None:
        seen = joined(parts) if job.train.refit else parts
        before = look_before(model, loader, seen, quiet=quieter)
    like = None if first is None else first.progress
    progress = train_model(model, loader, parts, job, out, resume=resume, quiet=quiet, like=like)
    return Learned(model, loader, parts, progress, interrupted=progress.interrupted, before=before)


def open_loader(job: config.Job, table: Table, parts: Parts) -> Loader:
    """Readers and targets fitted on training rows, and the loader of these rows."""
    sample = parts.train
    if len(sample) > FIT_ROWS:
        sample = np.sort(np.random.default_rng(job.seed).choice(sample, FIT_ROWS, replace=False))
    empty = Loader(table, job, {}, {})

    def cells_of(columns: tuple[str, ...]) -> Cells:
        return empty.cells(columns, sample)

    def fit() -> tuple[dict[str, Any], dict[str, Any]]:
        readers = fit_readers(job, cells_of)
        targets = fit_targets(job, lambda columns: empty.cells(columns, parts.train))
        return to_state(readers), to_state(targets)

    _, world = processes.start()
    states = processes.first_decides(fit, world)
    readers, targets = from_state(states[0]), targets_from_state(states[1], job)
    strict = job.unreadable == "refuse"
    return Loader(table, job, readers, targets, strict=strict, cache_gb=disk_share_gb(job))


def disk_share_gb(job: config.Job) -> float:
    """What this process may keep on disk: those of one machine share `cache_gb` evenly."""
    return job.train.cache_gb / processes_here()


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
