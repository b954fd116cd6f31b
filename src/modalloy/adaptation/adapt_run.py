"""The whole way of `adapt` with labels: a finished run and a table of new rows; a run that has
learned from them, with its figures before and after.
"""

import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modalloy.adaptation.account import Learned, World, compare_both, note, refuse_forgetting, told
from modalloy.adaptation.ageing import weigh_by_age
from modalloy.adaptation.asked import Asked
from modalloy.adaptation.figures import (
    Answering,
    beaten,
    points_lost,
    worst,
)
from modalloy.adaptation.keeping import Kept, Tried, keep_old
from modalloy.adaptation.learning import fine_tune
from modalloy.adaptation.methods import adapted_job, learning_weights, model_to_learn
from modalloy.adaptation.new_rows import open_new
from modalloy.adaptation.old_rows import open_old
from modalloy.adaptation.page import write_page
from modalloy.adaptation.still_true import OURS, changed_inputs, fit_again
from modalloy.answer.answers import EVERYTHING, Answer
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.answer.predictor import Predictor
from modalloy.errors import RunError
from modalloy.job import config
from modalloy.learn.run_lock import claim
from modalloy.model.adapters.attach import merge
from modalloy.model.adapters.file import adapter_to_bytes, take_adapter
from modalloy.model.adapters.ranks import told_ranks
from modalloy.model.model import Model
from modalloy.runs.adapters import (
    adapter_parts,
    plain,
    refuse_adapter_name,
    with_adapter,
)
from modalloy.runs.learned_from import ADAPTED_ROWS, prints_in, to_part
from modalloy.runs.run import Run
from modalloy.runs.saving import derive_run
from modalloy.table.fingerprints import fingerprints
from modalloy.table.table import Table


def adapt_run(
    run: Run,
    table: Table,
    out: Path | None = None,
    asked: Asked | None = None,
    *,
    quiet: bool = False,
) -> Run:
    """A run like this one that has learned from labelled rows of a table.

    out: its folder, `RUN-adapted` otherwise. `notes["adapted"]` holds figures before and after, on
    rows held back from both and on the run's own test rows. Readers and targets stay.

    Raises TableError where rows are too few, show a class that the run never knew, or none is as
    new as the window; RunError where the folder is used, and where what was learned cannot be had
    without losing more of the old than is allowed: then nothing is written.
    """
    start, asked = time.perf_counter(), asked or Asked()
    if asked.name is not None:
        refuse_adapter_name(run, asked.name)
        run = plain(run)
    place = out or run.path.resolve().with_name(f"{run.path.resolve().name}-adapted")
    job = adapted_job(run.job, asked)
    world = look(run, table, job, asked)
    with claim(place, resume=False):
        learned = learn(world, job, asked, quiet=quiet)
        return write(world, learned, place, asked, time.perf_counter() - start)


def look(run: Run, table: Table, job: config.Job, asked: Asked) -> World:
    """Open the rows, new and old; what is asked is refused here, before anything is learned."""
    predictor = Predictor(run)
    new = open_new(run, job, table)
    ages = None
    if asked.window is not None:
        learnable = np.concatenate(new.parts[:2])
        ages = weigh_by_age(run.job, new.loader.table, learnable, asked.window, asked.time)
    found = open_old(predictor, job)
    if isinstance(found, str) and asked.keeps:
        raise RunError(
            f"{run.path}: a window keeps what was known by the old rows, and they cannot be looked "
            f"at: {found}. Put the old table back, or say that old rows are outdated (--old)."
        )
    if isinstance(found, str) and asked.replayed:
        raise RunError(f"{run.path}: old rows cannot be replayed: {found}.")
    old = None if isinstance(found, str) else found
    return World(predictor, new, old, found if isinstance(found, str) else "", ages)


def learn(world: World, job: config.Job, asked: Asked, *, quiet: bool) -> Learned:
    """Learn from new rows; beside a window only as far as old rows allow."""
    run, new = world.predictor.run, world.new
    model = model_to_learn(run, job, asked, new.loader, new.parts.train)
    numbers = learning_weights(model)
    old = world.old if asked.replayed or asked.keeps else None
    folder = Path(tempfile.mkdtemp(prefix="modalloy-adapt-"))
    try:
        progress = fine_tune(model, new, job, folder, asked, old=old, ages=world.ages, quiet=quiet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if progress.interrupted:
        raise KeyboardInterrupt
    ranks = told_ranks(model) if model.adapted is not None else {}
    data = None
    if asked.name is None:
        merge(model)
    else:  # what is judged is what the file holds
        base = run.sealed["model.safetensors"]
        data = adapter_to_bytes(model, base=base, name=asked.name)
        model = run.model()
        take_adapter(model, data, base=base)
        merge(model)
    model.eval()
    kept = None
    if asked.keeps and old is not None and len(old.judge):
        kept = stay_near(world, model, run.model().state_dict(), asked)
    return Learned(model, progress, kept, numbers, ranks, data)


def stay_near(world: World, model: Model, before: Mapping[str, torch.Tensor], asked: Asked) -> Kept:
    """Go as far from the old weights as rows allow that were held back, new and old; RunError where
    no step helps the new ones and keeps the old ones."""
    new, old = world.new, world.old
    assert old is not None
    sides = ((new.loader, new.parts.validation), (old.loader, old.judge))
    was = [network_answers(world.predictor.model, *rows) for rows in sides]

    def judge() -> Tried:
        now = [network_answers(model, *rows) for rows in sides]
        changes = [points_lost(*rows, a, b) for rows, a, b in zip(sides, was, now, strict=True)]
        return Tried(worst(changes[1])[1], beaten(changes[0]))

    kept = keep_old(model, before, judge, most=asked.aimed)
    if not kept.share:
        raise RunError(
            f"{world.predictor.run.path}: nothing was written. No step from the old weights "
            "towards those learned answers new validation rows better and old ones at most "
            f"{asked.aimed:g} points worse, half of what test rows may lose. Label more new rows, "
            "replay more old ones (--replay), or say that they no longer hold (--old outdated)."
        )
    return kept


def network_answers(model: Model, loader: Loader, rows: np.ndarray) -> Mapping[str, Answer]:
    """What the network alone says of these rows."""
    return answer_rows(model, loader, rows).seen[EVERYTHING]


def write(world: World, learned: Learned, place: Path, asked: Asked, seconds: float) -> Run:
    """Fit again what hung on the old weights, compare, and write the run."""
    predictor, new, old, model = world.predictor, world.new, world.old, learned.model
    run = predictor.run
    changed = changed_inputs(model, predictor.blend, predictor.model)
    calibrated = bool(run.stages or predictor.promises)
    still = fit_again(model, predictor.blend, new, old, changed=changed, calibrated=calibrated)
    both = (
        Answering(predictor.model, predictor.blend, run.stages),
        Answering(model, still.blend, still.calibration.stages),
    )
    compared, lost = compare_both(world, both, learned, asked, seconds)
    refuse_forgetting(world, lost, asked)
    said = [*told(world, learned, asked), *still.said]
    compared = replace(compared, said=tuple(said))
    rows = np.concatenate(new.parts[:2])
    prints = fingerprints(new.loader.table, run.job, rows)
    notes = {
        **run.notes,
        "calibrated_on": still.calibration.source,
        "adapted": note(world, learned, asked, compared),
        "blend": {
            t: {**m, "blended": t in still.blend.tasks}
            for t, m in run.notes.get("blend", {}).items()
        },
    }
    parts = still.parts()
    parts[ADAPTED_ROWS] = to_part(np.concatenate([prints_in(run, ADAPTED_ROWS), prints]))
    given: dict[str, Any] = {"job": run.job, "stages": run.stages, "notes": run.notes}
    if asked.name is not None and learned.adapter is not None:
        stages = still.calibration.stages
        own = adapter_parts(run, asked.name, parts, stages=stages, notes=notes, without=OURS)
        own[f"adapter.{asked.name}.safetensors"] = learned.adapter
        given["notes"] = {**run.notes, "adapter": asked.name}
        made = with_adapter(derive_run(run, place, "adapt", **given, parts=own), None)
    else:
        given |= {"stages": still.calibration.stages, "notes": notes}
        made = derive_run(run, place, "adapt", **given, parts=parts, model=model, without=OURS)
    write_page(made)
    return made
