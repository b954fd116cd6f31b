"""One training and its figures on test rows, without the report's other parts."""

import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from modalloy.answer.answers import EVERYTHING
from modalloy.answer.network import answer_rows
from modalloy.job.job_file import load_job
from modalloy.judge.metrics.score import score
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.frozen_features import frozen_features
from modalloy.learn.train import train_model
from modalloy.model.device import placed
from modalloy.model.model import Model
from modalloy.readers.targets.target import names_of
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts, split_job


class Trained(NamedTuple):
    """Figures of each task on the test rows, and seconds of training and of answering a row."""

    figures: dict[str, dict[str, float]]
    seconds: float
    answering: float


def train_job(plain: dict[str, Any], *, rows: int | None = None) -> Trained:
    """Train a job and judge it. rows: at most so many training rows, drawn by its seed."""
    job = load_job(plain)
    table = open_table(job.table)
    parts = split_job(table, job)
    if rows is not None and len(parts.train) > rows:
        some = np.random.default_rng(job.seed).choice(parts.train, rows, replace=False)
        parts = parts._replace(train=np.sort(some))
    loader = open_loader(job, table, parts)
    parts = Parts(*(loader.labelled(part) for part in parts))
    torch.manual_seed(job.seed)
    model = placed(Model(job, loader.readers, loader.targets, pretrained=True))
    start = time.perf_counter()
    frozen_features(model, loader, np.concatenate([parts.train, parts.validation]), quiet=True)
    with tempfile.TemporaryDirectory() as out:
        train_model(model, loader, parts, job, Path(out), quiet=True)
    trained = time.perf_counter()
    answers = answer_rows(model, loader, parts.test).seen[EVERYTHING]
    answered = time.perf_counter()
    figures = {}
    for name, options in job.tasks.items():
        target = loader.targets[name]
        truth = target.truth(loader.cells(target.columns, parts.test))
        figures[name] = score(options, truth, answers[name], names_of(target))
    return Trained(figures, trained - start, (answered - trained) / max(1, len(parts.test)))
