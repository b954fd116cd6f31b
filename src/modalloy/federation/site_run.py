"""The end at a site: its own run of the common model, and how that answers its test rows."""

import shutil
import tempfile
import time
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.answer.answers import EVERYTHING, Answer
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.checks.finding import finding
from modalloy.deploy.compress_run import compress_run
from modalloy.deploy.export_run import export_run
from modalloy.errors import ModalloyError
from modalloy.federation.private_round import membership
from modalloy.job import config
from modalloy.job.federated import Bundled
from modalloy.judge.compared import compare
from modalloy.judge.figures import figures_of, truth_of
from modalloy.judge.metrics.score import primary
from modalloy.judge.sections import Sections
from modalloy.judge.slices import group_labels
from modalloy.learn.adapting import end_adapted
from modalloy.learn.held_out import hold_out
from modalloy.learn.progress import Progress
from modalloy.learn.run_lock import claim
from modalloy.learn.train_run import blend_and_save, report_on
from modalloy.learn.training import Learned, learn_job
from modalloy.model.model import Model
from modalloy.readers.targets.target import names_of
from modalloy.runs.rows import save_prints
from modalloy.runs.run import load_run
from modalloy.table.fingerprints import fingerprints
from modalloy.table.split import Parts, split_job

KEPT = (
    "rounds",
    "best",
    "sites",
    "options",
    "privacy",
)  # facts of the server that a site's run repeats


def finish_site(
    name: str,
    model: Model,
    loader: Loader,
    parts: Parts,
    job: config.Job,
    out: Path,
    facts: Mapping[str, Any],
    lacks: Collection[str],
    *,
    quiet: bool,
) -> dict[str, Any]:
    """Write the run of a site, and answer its figures on the site's test rows: the common network,
    and one that learned from this site's rows alone, where the job compares. lacks: columns that
    the site has nothing of."""
    adapted = end_adapted(model)
    model.eval()
    said = network_answers(model, loader, parts.test)
    found: dict[str, Any] = {"test": len(parts.test), "federated": told(loader, parts.test, said)}
    attack = membership(model, loader, parts.train, parts.test, job)
    found["membership"] = None if attack is None else attack._asdict()
    enough = len(parts.train) > 1 and len(parts.validation) > 0
    if job.federate.compare and enough and len(parts.test):
        found |= alone(loader, parts, job, said, lacks, quiet=quiet)
    if not enough:
        return {**found, "run": None}
    with claim(out, resume=False):
        whole = split_job(loader.table, job)
        save_prints(out, Parts(*(fingerprints(loader.table, job, part) for part in whole)))
        write_run(name, model, loader, parts, job, out, facts, adapted, quiet=quiet)
    return {**found, "run": out.name, **bundled(out, job.federate.bundle, quiet=quiet)}


def bundled(run: Path, way: Bundled, *, quiet: bool) -> dict[str, Any]:
    """Make a bundle beside a site's run; its name, or why there is none: the run stays."""
    if way == "none":
        return {}
    place, loaded = run.with_name(f"{run.name}.zip"), load_run(run)
    make = export_run if way == "export" else partial(compress_run, table=None)
    try:
        made = make(loaded, out=place, quiet=quiet)
    except ModalloyError as error:
        return {"bundle": None, "bundle_failed": str(error)}
    return {"bundle": made.path.name, "bundle_bytes": made.path.stat().st_size}


def write_run(
    name: str,
    model: Model,
    loader: Loader,
    parts: Parts,
    job: config.Job,
    out: Path,
    facts: Mapping[str, Any],
    adapted: dict[str, Any] | None,
    *,
    quiet: bool,
) -> None:
    """The run of the common model, with what is fitted to this site's rows, and its report."""
    start = time.perf_counter()
    progress = Progress(0, int(facts["rounds"]), epoch=int(facts["rounds"]))
    held = hold_out(model, loader, parts.train, parts.validation)
    learned = Learned(model, loader, parts, progress, held_out=held, adapted=adapted)
    text = (
        f"learned with {len(facts['sites']) - 1} other sites in {facts['rounds']} rounds, the best "
        f"of which was {facts['best']}; their rows were never here"
    )
    notes: dict[str, Any] = {
        "federated": {"site": name, **{k: facts[k] for k in KEPT if k in facts}},
        "curves": [],
        "epochs": int(facts["rounds"]),
        "precision": "float32",
        "seconds": {"training": 0.0},
        "refit": False,
        "findings": [
            finding("note", "federate", said).as_dict()
            for said in (text, *say_privacy({name: facts.get("privacy", {}).get(name)}))
        ],
        "cells": {},
    }
    if adapted is not None:
        notes["adapted"] = adapted
    made = Sections(())
    run, blended = blend_and_save(learned, out, notes, made)
    notes["seconds"]["training"] = time.perf_counter() - start
    report_on(learned, run, parts.test, None, made, blended, quiet=quiet)


def say_privacy(privacy: Mapping[str, Mapping[str, Any] | None]) -> list[str]:
    """What was promised to whom, a sentence a site."""
    return [
        f"{site}: differentially private for each {p['unit']}: epsilon {p['epsilon']:.2f} at delta "
        f"{p['delta']:.1g} over {p['steps']} steps, by {p['accountant']}; not for what columns are "
        "read and standardised by, nor for validation and test rows and the figures told in the end"
        for site, p in privacy.items()
        if p
    ]


def alone(
    loader: Loader,
    parts: Parts,
    job: config.Job,
    common: Mapping[str, Answer],
    lacks: Collection[str],
    *,
    quiet: bool,
) -> dict[str, Any]:
    """Figures of a network that learned from this site alone, and what the common one gains."""
    folder = Path(tempfile.mkdtemp(prefix="modalloy-alone-"))
    own = {"folds": 0, "refit": False}
    columns = {n: o for n, o in job.columns.items() if n not in lacks}
    settings = job.train.model_copy(update=own)
    job = job.model_copy(update={"train": settings, "columns": columns})
    try:
        learned = learn_job(job, loader.table, parts, out=folder, quiet=quiet)
    except Exception as error:
        return {"alone_failed": str(error)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    said = network_answers(learned.model, learned.loader, parts.test)
    attack = membership(learned.model, learned.loader, parts.train, parts.test, job)
    return {
        "alone": told(learned.loader, parts.test, said),
        "membership_alone": None if attack is None else attack._asdict(),
        "gain": gains(loader, parts.test, said, common, names_in(learned.loader)),
    }


def network_answers(model: Model, loader: Loader, rows: np.ndarray) -> dict[str, Answer]:
    """What a network alone says of some rows."""
    return dict(answer_rows(model, loader, rows).seen[EVERYTHING]) if len(rows) else {}


def told(loader: Loader, rows: np.ndarray, said: Mapping[str, Answer]) -> dict[str, Any]:
    """Each task's figures with their intervals."""
    truths, groups = truth_of(loader, rows), group_labels(loader, rows) if len(rows) else None
    found = {}
    for task, options in loader.job.tasks.items():
        if task not in said or all(t is None for t in truths[task]):
            continue
        names = names_of(loader.targets[task])
        found[task] = figures_of(options, truths[task], said[task], names, groups)
    return found


def names_in(loader: Loader) -> dict[str, list[str] | None]:
    """The classes of each task as a loader's targets know them."""
    return {task: names_of(target) for task, target in loader.targets.items()}


def gains(
    loader: Loader,
    rows: np.ndarray,
    before: Mapping[str, Answer],
    after: Mapping[str, Answer],
    names: Mapping[str, list[str] | None],
) -> dict[str, Any]:
    """What the second answers gain over the first on the same rows, with paired intervals, where
    both know the same classes."""
    truths, groups = truth_of(loader, rows), group_labels(loader, rows)
    found = {}
    for task, options in loader.job.tasks.items():
        own = names_of(loader.targets[task])
        if all(t is None for t in truths[task]):
            continue
        old = with_classes(before[task], names[task], own)
        metric = primary(options)[0]
        pairs = compare(
            options, truths[task], old, after[task], own, groups=groups, metrics=[metric]
        )
        if metric in pairs:
            found[task] = {metric: list(pairs[metric])}
    return found


def with_classes(answer: Answer, names: list[str] | None, wanted: list[str] | None) -> Answer:
    """An answer with a column for each wanted class; those that it did not know have none."""
    if names is None or wanted is None or names == wanted or "probability" not in answer:
        return answer
    p_BC = answer["probability"]
    wide_BC = np.zeros((len(p_BC), len(wanted)), p_BC.dtype)
    for c, name in enumerate(names):
        if name in wanted:
            wide_BC[:, wanted.index(name)] = p_BC[:, c]
    return {**answer, "probability": wide_BC}
