"""A table in, our training of it out: what `modalloy train` does between loading and evaluation."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.train_speed.same import BATCH, FROZEN_EPOCHS, MAX_TOKENS, PICTURE_EPOCHS, PIXELS, Done
from modalloy.answer.loader import Loader
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.learn.epoch_order import epoch_order
from modalloy.learn.fit import fit
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.frozen_features import frozen_features
from modalloy.learn.plan import Plan, supervised_plan
from modalloy.learn.probe import apply, probe
from modalloy.learn.state import State
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.table.split import split_job
from modalloy.table.table import open_table


def ours(table: Path, columns: dict[str, Any], epochs: int) -> Iterator[Done]:
    """What `modalloy train` does between loading and evaluation, in its order."""
    job = load_job(
        {
            "table": str(table),
            "split": {"random": "stratified", "test": 0.0, "validation": 0.0},
            "columns": columns,
            "tasks": {"label": {"type": "classify", "target": "label"}},
            "train": {"epochs": epochs, "batch": BATCH, "patience": 0},
        }
    )
    opened = open_table(str(table))
    parts = split_job(opened, job)
    loader = open_loader(job, opened, parts)
    model = Model(job, loader.readers, loader.targets, pretrained=True)
    lengths = loader.lengths(parts.train)
    steps = epochs * len(epoch_order(parts.train, BATCH, 0, 0, lengths))
    plan = supervised_plan(model, loader, parts.validation)
    state = State.begin(model, plan.total, job.train, 1000)
    yield 0, 0.0
    frozen_features(model, loader, parts.train, quiet=True)
    batch = Batch.of(loader.batch(parts.train[:BATCH]))
    start = time.perf_counter()
    # Nothing that an earlier training on this machine has found is used.
    apply(model, probe(model, plan.objective, batch, "auto", steps=steps, kept=None))
    probe_s = time.perf_counter() - start
    yield train(job, plan, loader, state, parts.train, epochs), probe_s


def train(
    job: config.Job,
    plan: Plan[Model],
    loader: Loader,
    state: State[Model],
    which: np.ndarray,
    epochs: int,
) -> int:
    """All epochs."""
    lengths = loader.lengths(which)
    for epoch in range(epochs):
        batches = map(Batch.of, loader.stream(epoch_order(which, BATCH, 0, epoch, lengths)))
        for _ in fit(
            state, plan.objective, batches, settings=job.train, seed=job.seed, views=plan.views
        ):
            pass
    return epochs * len(which)


def ours_text(table: Path) -> Iterator[Done]:
    return ours(table, {"note": {"type": "text", "encoder": "minilm", "max_tokens": MAX_TOKENS}}, 1)


def ours_frozen(table: Path) -> Iterator[Done]:
    column = {"type": "text", "encoder": "minilm", "max_tokens": MAX_TOKENS, "tune": "frozen"}
    return ours(table, {"note": column}, FROZEN_EPOCHS)


def ours_picture(table: Path) -> Iterator[Done]:
    column = {"type": "image", "encoder": "efficientnet_lite0", "pixels": PIXELS, "augment": "none"}
    return ours(table, {"photo": column}, PICTURE_EPOCHS)
