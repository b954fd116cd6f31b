"""Calibrates a run anew for labelled rows of another kind - another line, another camera - without
touching a weight.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.answer.conformal import fewest
from modalloy.answer.predictor import Predictor
from modalloy.answer.promise import (
    PART,
    Known,
    Promise,
    keep_promises,
    promises_to_bytes,
)
from modalloy.answer.stage import Stage, adjust
from modalloy.blend.fitting import folds
from modalloy.checks.finding import finding
from modalloy.classical.rows import belonging
from modalloy.errors import RunError, TableError
from modalloy.job import config
from modalloy.judge.calibrated import realised
from modalloy.judge.metrics.score import score
from modalloy.judge.wording import label, say
from modalloy.learn.calibrate import (
    answer_kept,
    fit_calibration,
    known_rows,
)
from modalloy.learn.run_lock import claim
from modalloy.learn.watched import said_of
from modalloy.observing.kept import with_answers
from modalloy.readers.targets.target import names_of
from modalloy.report.rescore import answered_rows
from modalloy.runs.learned_from import CALIBRATED_ROWS, all_learned, to_part
from modalloy.runs.run import Run
from modalloy.runs.saving import derive_run
from modalloy.table.fingerprints import fingerprints, learned_rows
from modalloy.table.table import Table

SHOWN = ("ece", "coverage", "precision", "size", "width", "sure")  # figures of the table


def recalibrate(
    run: Run, table: Table, out: Path | None = None, *, coverage: float | None = None
) -> Run:
    """A run like this one whose stages and promises are of the labelled rows of a table.

    out: its folder, `RUN-calibrated` otherwise. coverage: asked for from now on. A task without an
    answer in the table stays as it was. `notes["recalibrated"]` holds the figures of each task
    before and after, on the same rows: after, each fifth of them by what the others say.

    Raises TableError where rows are too few for the coverage, with how many are needed; RunError
    where the folder is used.
    """
    place = out or run.path.resolve().with_name(f"{run.path.resolve().name}-calibrated")
    job = calibrated_job(run.job, coverage)
    predictor = Predictor(run)
    loader, which, found = answered_rows(predictor, table)
    said = [finding("warning", f.where, f.what).as_dict() for f in found]
    which, seen = unlearned(run, loader.table, which)
    if seen:
        what = f"{seen} rows that the model has learned from were left out"
        said.append(finding("warning", "rows", what).as_dict())
    held = answer_kept(predictor.model, loader, which, predictor.blend) if len(which) else {}
    every = {n: known_rows(loader, n, a, job.calibrate.by) for n, a in held.items()}
    known = {n: k.some(answered(k)) for n, k in every.items() if len(answered(k))}
    refuse_few(table, known, seen, job.calibrate.coverage)
    fresh = fit_calibration(job, loader.targets, known, source="given")
    labels = belonging(job, loader.cells, which)
    figures = {}
    for task, rows in known.items():
        own = None if labels is None else [labels[i] for i in answered(every[task]).tolist()]
        at = folds(len(rows.truth), own)
        new = fresh.promises.get(task)
        figures[task] = compare(predictor, job, loader.targets, task, rows, new, at)
    said += [finding("note", "calibrate", what).as_dict() for what in fresh.said]
    prints = fingerprints(loader.table, run.job, which)
    changes = {
        "calibrated_on": "given",
        "recalibrated": {"rows": len(which), "tasks": figures, "said": said},
    }
    stages = dict(run.stages) | fresh.stages
    promises = predictor.promises | fresh.promises
    watched = with_answers(run, said_of(job, loader.targets, known, stages, promises))
    with claim(place, resume=False):
        return derive_run(
            run,
            place,
            "calibrate",
            job=job,
            notes={**run.notes, **changes},
            stages=stages,
            parts={
                PART: promises_to_bytes(promises),
                CALIBRATED_ROWS: to_part(prints),
                **watched,
            },
        )


def calibrated_job(job: config.Job, coverage: float | None) -> config.Job:
    """The job of the new run: calibrated, at this coverage. RunError for one that is none."""
    changes: dict[str, Any] = {"use": "auto"}
    if coverage is not None:
        if not 0.5 <= coverage < 1.0:
            raise RunError(f"coverage: {coverage:g} is no share from 0.5 to below 1.")
        changes["coverage"] = coverage
    return job.model_copy(update={"calibrate": job.calibrate.model_copy(update=changes)})


def unlearned(run: Run, table: Table, which: np.ndarray) -> tuple[np.ndarray, int]:
    """Those of these rows that the model has not learned from, and how many it has."""
    known = learned_rows(table, run.job, which, all_learned(run))
    return which[~known], int(known.sum())


def answered(known: Known) -> np.ndarray:
    """Positions of rows whose truth is known."""
    return np.flatnonzero([t is not None for t in known.truth])


def refuse_few(table: Table, known: Mapping[str, Known], seen: int, coverage: float) -> None:
    """TableError where rows are too few for the coverage."""
    need = fewest(coverage)
    few = {task: len(k.truth) for task, k in known.items() if len(k.truth) < need}
    if known and not few:
        return
    task, rows = next(iter(few.items()), ("every task", 0))
    but = f" besides {seen} that the model has learned from" if seen else ""
    raise TableError(
        f"{table.source}: {rows} rows have an answer of {task}{but}, and a coverage of "
        f"{100 * coverage:g} % needs at least {need}; label more rows, or ask for a lower coverage."
    )


def compare(
    predictor: Predictor,
    job: config.Job,
    targets: Mapping[str, Any],
    task: str,
    known: Known,
    fresh: Promise | None,
    fold_N: np.ndarray,
) -> dict[str, dict[str, Any]]:
    """One task's figures by the run as it was and by what is new, on rows that neither is fitted
    on: the new one is fitted on all but a fifth at a time.
    """
    run, options, names = predictor.run, job.tasks[task], names_of(targets[task])
    old = promised(job, task, known, run.stages, predictor.promises)
    parts = []
    for fold in np.unique(fold_N):
        own, rest = np.flatnonzero(fold_N == fold), np.flatnonzero(fold_N != fold)
        fit = fit_calibration(job, targets, {task: known.some(rest)}, source="given")
        made = promised(job, task, known.some(own), fit.stages, fit.promises)
        parts.append((own, made))
    found = {}
    both = {"before": (old, predictor.promises.get(task)), "after": (in_order(parts), fresh)}
    for when, (answer, promise) in both.items():
        said = score(options, known.truth, answer, names)
        if promise is not None and {"set", "low", "sure"} & answer.keys():
            said |= realised(promise, answer, known.truth, known.groups, names)
        found[when] = {m: said[m] for m in SHOWN if said.get(m) is not None}
    return found


def promised(
    job: config.Job,
    task: str,
    known: Known,
    stages: Mapping[str, Stage],
    promises: Mapping[str, Promise],
) -> Answer:
    """The answers to these rows with a stage and a promise."""
    before = {task: known.answer}
    after = adjust(before, stages)
    own = {task: promises[task]} if task in promises else {}
    return keep_promises(job.tasks, own, before, after, known.groups)[task]


def in_order(parts: list[tuple[np.ndarray, Answer]]) -> Answer:
    """One answer from those of parts of the rows, each beside their positions."""
    back = np.argsort(np.concatenate([at for at, _ in parts]), kind="stable")
    keys = set.intersection(*(set(answer) for _, answer in parts))
    return {k: np.concatenate([np.asarray(a[k]) for _, a in parts])[back] for k in sorted(keys)}


def say_changes(notes: Mapping[str, Any]) -> str:
    """The table of what calibrating anew has changed, for a terminal."""
    found = notes["recalibrated"]
    lines = [f"{'task':<16} {'figure':<24} {'before':>10} {'after':>10}"]
    for task, both in found["tasks"].items():
        for figure in SHOWN:
            old, new = (both[when].get(figure) for when in ("before", "after"))
            if old is not None or new is not None:
                told = (f"{told_figure(figure, value):>10}" for value in (old, new))
                lines.append(f"{task:<16} {named(figure):<24} {' '.join(told)}")
    return "\n".join([*lines, f"on {found['rows']} rows, each fifth by what the others say"])


def named(figure: str) -> str:
    """A figure's name in the table."""
    match figure:
        case "size":
            return "Names a set"
        case "width":
            return "Width of intervals"
        case "sure":
            return "Sure answers"
        case _:
            return label(figure).capitalize()


def told_figure(figure: str, value: float | None) -> str:
    """A figure of the table in words; shares as per cent."""
    if value is None:
        return "–"
    if figure in ("coverage", "precision", "sure"):
        return f"{100 * value:.1f} %"
    return f"{value:.3g}" if figure in ("size", "width") else say(figure, value)
