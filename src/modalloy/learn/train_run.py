"""The whole way of `train`: a job and an open table, checked, learned, evaluated, reported."""

import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.answer.promise import PART as PROMISES
from modalloy.answer.promise import promises_of, promises_to_bytes
from modalloy.answer.table_caveats import count_cells
from modalloy.answer.torch_engine import TorchEngine
from modalloy.blend.kept import PART as BLEND
from modalloy.blend.kept import blend_to_bytes
from modalloy.checks.check import Check, check
from modalloy.checks.finding import Finding, finding
from modalloy.errors import LeakError, RunError, TableError
from modalloy.job import config
from modalloy.job.steps import folds
from modalloy.judge.before import Before, look_before, missed
from modalloy.judge.sections import Sections
from modalloy.learn import processes
from modalloy.learn.adapting import say_adapted
from modalloy.learn.blending import Blended, fit_blend
from modalloy.learn.calibrate import (
    NO_CALIBRATION,
    Calibration,
    HeldBack,
    calibrate_learned,
    held_back,
)
from modalloy.learn.frozen_first import say_kept
from modalloy.learn.progress import LAST
from modalloy.learn.run_lock import claim, refuse_changed
from modalloy.learn.training import Begun, Learned, begin_job, finish_job
from modalloy.learn.unlike import fit_unlike, look_back
from modalloy.learn.watched import fit_reference
from modalloy.observing.kept import PART as WATCH
from modalloy.observing.kept import reference_to_bytes
from modalloy.observing.reference import Reference
from modalloy.report.card import write_card
from modalloy.report.evaluate import evaluate_rows
from modalloy.report.extras import Extras
from modalloy.runs.parts import PAGE
from modalloy.runs.rows import save_prints
from modalloy.runs.run import Run
from modalloy.runs.saving import save_run
from modalloy.runs.seal import Parent
from modalloy.runs.start import check_start
from modalloy.table.fingerprints import fingerprints
from modalloy.table.split import Parts, joined, split_job
from modalloy.table.table import Table
from modalloy.unlike.kept import PART as UNLIKE
from modalloy.unlike.kept import likeness_of, likeness_to_bytes
from modalloy.unlike.likeness import Likeness

UNLIKE_ROWS = "which rows are unlike those of training"
CALIBRATED = "how sure answers are, and what they promise"
COUNTED = "missing and unreadable cells of training, which other tables are compared with"


def train_run(job: config.Job, table: Table, out: Path, *, resume: bool, quiet: bool) -> Run:
    """Check, read, train, evaluate and report; of several processes the first one does the rest."""
    _, world = processes.start()
    with ExitStack() as held:

        def look() -> tuple[Parts, Check]:
            held.enter_context(claim(out, resume=resume))
            parts = split_job(table, job)
            found = check(job, table, parts)
            if not (out / LAST).is_file():  # else it goes on, and may do so without its start
                found = check_start(found, job, table, parts)
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
    begun = begin_job(job, table, parts, out=out, resume=resume, quiet=quiet)
    before = None
    if rank == 0:
        tell_start(begun, quiet=quiet)
        before = first_look(begun, quiet=quiet)
    learned = finish_job(begun, resume=resume, quiet=quiet)
    processes.stop()
    model, loader, progress = learned.model, learned.loader, learned.progress
    trained_s = time.perf_counter() - start
    phases = learned.phases.note() if learned.phases else None
    findings = [*found.findings, *found_in_training(learned, phases)]
    notes: dict[str, Any] = {
        "epochs": progress.epoch,
        "best_epoch": progress.best_epoch + 1,
        "batch": progress.batch,
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
    if phases is not None:
        notes["phases"] = phases
    if learned.adapted is not None:
        notes["adapted"] = learned.adapted
    if learned.started is not None:
        notes["start"] = learned.started.note()
    if rank > 0:
        return Run(
            out, job, loader.readers, loader.targets, model.trunk_configs(), notes, table.decimal
        )
    made = Sections(before.failed if before else ())
    counted = partial(count_cells, loader, learned.parts.train)
    notes["cells"] = made.run("cells", COUNTED, counted, {})
    run, blended = blend_and_save(learned, out, notes, made)
    if not learned.interrupted:
        shutil.rmtree((out / LAST).parent, ignore_errors=True)
    report_on(learned, run, parts.test, before, made, blended, quiet=quiet)
    return run


def found_in_training(learned: Learned, phases: dict[str, Any] | None) -> Iterator[Finding]:
    """What is to be known of how a training went."""
    if learned.interrupted:
        yield finding("warning", "training", say_interrupted(learned))
    if learned.adapted is not None:
        for level, said in say_adapted(learned.adapted):
            yield finding(level, "adapter", said)
    if phases is not None and phases["tuned"] is not None:
        yield finding("note", "training", say_kept(phases))


def blend_and_save(
    learned: Learned,
    out: Path,
    notes: dict[str, Any],
    made: Sections,
    *,
    parent: Parent | None = None,
    parts: Mapping[str, bytes] | None = None,
) -> tuple[Run, Blended]:
    """Fit what is done to answers after the network, and write the run with all of it.

    parent: the run that it was made from, for None the one that the training started from. parts:
    free parts that it holds besides.
    """
    start = time.perf_counter()
    model, loader = learned.model, learned.loader
    parted = (learned.parts, learned.held_out, made)
    blended = fit_blend(model, loader, *parted, refit=learned.refit)
    blend, notes["blend"] = blended.blend, blended.made_of
    backed, found = calibrated(learned, blended, made)
    likeness, reference = known_rows_of(learned, backed, found, made)
    notes["calibrated_on"] = found.source
    notes["findings"] += [finding("note", "calibrate", said).as_dict() for said in found.said]
    kept = {BLEND: blend_to_bytes(blend)} if blend.tasks else {}
    kept |= {PROMISES: promises_to_bytes(found.promises)} if found.promises else {}
    kept |= {UNLIKE: likeness_to_bytes(likeness)} if likeness else {}
    kept |= {WATCH: reference_to_bytes(reference)} if reference else {}
    notes["seconds"]["blending"] = time.perf_counter() - start
    run = save_run(
        out,
        model.job,
        loader.readers,
        loader.targets,
        model,
        notes,
        decimal=loader.table.decimal,
        stages=found.stages,
        parent=parent or parent_of(learned),
        parts=kept | dict(parts or {}),
    )
    return run, blended


def calibrated(learned: Learned, blended: Blended, made: Sections) -> tuple[HeldBack, Calibration]:
    """Answers to rows held back, and how sure answers are by them."""
    folded = learned.held_out is not None and learned.held_out.fold_R is not None
    given = (learned.model, learned.loader, learned.parts.calibration, blended.blend, blended.held)
    answer = partial(held_back, *given, crossed=learned.refit or folded)
    backed = made.run("calibrate", CALIBRATED, answer, HeldBack("kept", {}))
    fit = partial(calibrate_learned, learned.model, learned.loader, backed)
    return backed, made.run("calibrate", CALIBRATED, fit, NO_CALIBRATION)


def known_rows_of(
    learned: Learned, backed: HeldBack, found: Calibration, made: Sections
) -> tuple[Likeness | None, Reference | None]:
    """What the run keeps of its rows, so that it knows which ones are unlike them, and which drift
    away from them; nothing where the job does not want that."""
    model, loader = learned.model, learned.loader
    if model.job.unlike.use == "never":
        return None, None
    look = partial(look_back, model, loader, learned.parts, refit=learned.refit)
    back = made.run("unlike", UNLIKE_ROWS, look, None)
    if back is None:
        return None, None
    likeness = made.run("unlike", UNLIKE_ROWS, partial(fit_unlike, model.job, loader, back), None)
    refer = partial(fit_reference, model.job, loader, back, likeness, backed, found)
    return likeness, made.run("watch", "what other rows are compared with", refer, None)


def parent_of(learned: Learned) -> Parent | None:
    """The run that a training started from, as the new run names it."""
    started = learned.started
    return Parent(started.sha256, "train", Path(started.run).name) if started else None


def tell_start(begun: Begun, *, quiet: bool) -> None:
    """Say what was taken over from an earlier run, and what was not."""
    if begun.started is not None and not quiet:
        print(*begun.started.lines(), sep="\n", file=sys.stderr, flush=True)


def first_look(begun: Begun, *, quiet: bool) -> Before:
    """What is known of the model before its first step, where it is still as it was then."""
    if not begun.whole:
        return missed(f"{begun.job.train.start}, which this training started from, is gone")
    job, parts = begun.job, begun.parts
    again = job.train.refit or folds(job, len(parts.train), len(parts.validation))
    seen = joined(parts) if again else parts
    return look_before(begun.model, begun.loader, seen, quiet=quiet)


def report_on(
    learned: Learned,
    run: Run,
    which: np.ndarray,
    before: Before | None,
    made: Sections,
    blended: Blended,
    *,
    quiet: bool,
) -> None:
    """Write the report and the card of a run that is finished and sealed.

    made: with what could not be had for it until now.
    RunError where they cannot be written, with what to do; the run is whole and stays.
    """
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
        blend=blended.blend,
        methods=blended.methods,
        widths=blended.widths,
        stages=run.stages,
        likeness=likeness_of(run),
        made_of=run.notes["blend"],
        promises=promises_of(run),
        source=run.notes["calibrated_on"],
    )
    try:
        page, engine = run.path / PAGE, TorchEngine(learned.model)
        write_card(run, evaluate_rows(engine, learned.loader, which, extras, page, quiet=quiet))
    except Exception as error:
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise RunError(
            f"{run.path}: the model is trained and saved, its report could not be written ({why}); "
            f"`modalloy evaluate {run.path}` writes it."
        ) from error


def say_interrupted(learned: Learned) -> str:
    """What an interrupted training has reached."""
    progress, timed = learned.progress, learned.model.job.train.minutes is not None
    planned = "" if timed else f" of {progress.epochs}"
    done = f"interrupted after {progress.epoch}{planned} epochs"
    return f"{done}; the weights are the best until then, and --resume goes on"


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
