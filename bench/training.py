"""One training and its figures on test rows, without the report's other parts."""

import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from modalloy.answer.answers import EVERYTHING, Answers
from modalloy.answer.loader import Loader
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


class Learned(NamedTuple):
    """A trained model with the rows that it is judged by. seconds: of the training."""

    model: Model
    loader: Loader
    test: np.ndarray
    seconds: float


class Trained(NamedTuple):
    """Figures of each task on the test rows; seconds of training, and of answering a row."""

    figures: dict[str, dict[str, float]]
    seconds: float
    answering: float


def learn(plain: dict[str, Any], *, rows: int | None = None, tests: int | None = None) -> Learned:
    """Train a job. rows, tests: at most so many training and test rows, drawn by the seed 0."""
    job = load_job(plain)
    table = open_table(job.table)
    parts = split_job(table, job)
    train, test = some(parts.train, rows), some(parts.test, tests)
    parts = parts._replace(train=train, validation=some(parts.validation, tests), test=test)
    loader = open_loader(job, table, parts)
    parts = Parts(*(loader.labelled(part) for part in parts))
    torch.manual_seed(job.seed)
    model = placed(Model(job, loader.readers, loader.targets, pretrained=True))
    start = time.perf_counter()
    frozen_features(model, loader, np.concatenate([parts.train, parts.validation]), quiet=True)
    with tempfile.TemporaryDirectory() as out:
        train_model(model, loader, parts, job, Path(out), quiet=True)
    return Learned(model, loader, parts.test, time.perf_counter() - start)


def train_job(plain: dict[str, Any], *, rows: int | None = None) -> Trained:
    """Train a job and judge it."""
    learned = learn(plain, rows=rows)
    start = time.perf_counter()
    answers = answer_rows(learned.model, learned.loader, learned.test).seen[EVERYTHING]
    answering = (time.perf_counter() - start) / max(1, len(learned.test))
    return Trained(judge(learned, answers), learned.seconds, answering)


def judge(learned: Learned, answers: Answers) -> dict[str, dict[str, float]]:
    """Figures of answers to the test rows, by task."""
    loader, found = learned.loader, {}
    for name, options in learned.model.job.tasks.items():
        target = loader.targets[name]
        truth = target.truth(loader.cells(target.columns, learned.test))
        found[name] = score(options, truth, answers[name], names_of(target))
    return found


def some(rows: np.ndarray, most: int | None) -> np.ndarray:
    """These rows, or so many of them drawn at random."""
    if most is None or len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, most, replace=False))
