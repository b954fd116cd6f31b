"""A folder in, a small run out whose weights nobody trained, or hardly: for tests of what a run
holds.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from conftest import make_job
from modalloy.answer.loader import Loader
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.readers.build import fit_readers, fit_targets
from modalloy.runs.rows import save_prints
from modalloy.runs.run import Run
from modalloy.runs.saving import save_run
from modalloy.runs.seal import Parent
from modalloy.speech.heard import with_heard
from modalloy.table.fingerprints import fingerprints
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts, split_job

NOTES = {
    "epochs": 0, "best_epoch": 0, "interrupted": False, "refit": False, "precision": "float32",
    "curves": [], "seconds": {}, "findings": [], "cells": {},
}  # fmt: skip


def untrained(
    path: Path,
    table: Path,
    *,
    seed: int = 0,
    parent: Parent | None = None,
    parts: Mapping[str, bytes] | None = None,
    job: config.Job | None = None,
    columns: tuple[str, ...] = ("load", "site"),
    steps: int = 0,
    **notes: Any,
) -> Run:
    """Write a run over columns of the small table, or of a job; `seed` makes its weights. steps: of
    learning from a few training rows, inputs hidden at random.
    """
    job = load_job(make_job(table, columns=columns)) if job is None else job
    opened = with_heard(open_table(table), job)
    loader, every = Loader(opened, job, {}, {}), np.arange(opened.rows)
    readers = fit_readers(job, lambda names: loader.cells(names, every))
    targets = fit_targets(job, lambda names: loader.cells(names, every))
    torch.manual_seed(seed)
    model = Model(job, readers, targets, pretrained=True)
    if steps:
        learn(model, Loader(opened, job, readers, targets), split_job(opened, job).train, steps)
    path.mkdir(exist_ok=True)
    save_prints(path, Parts(*(fingerprints(opened, job, p) for p in split_job(opened, job))))
    given = (path, job, readers, targets, model, NOTES | notes)
    return save_run(*given, decimal=".", parent=parent, parts=parts)


def learn(model: Model, loader: Loader, rows: np.ndarray, steps: int) -> None:
    """So many steps of Adam on some of these rows, each with some inputs hidden."""
    draw = np.random.default_rng(0)
    batch = Batch.of(loader.batch(rows[:48]))
    change = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(steps):
        hidden = [i for i in model.inputs if draw.random() < 0.4]
        output = model.decide(model.hide(model.encode(batch), hidden), batch)
        losses = [model.task(n).loss(out, batch.targets[n]) for n, out in output.tasks.items()]
        change.zero_grad()
        torch.stack(losses).sum().backward()
        change.step()
