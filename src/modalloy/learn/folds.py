"""Cross-validation over training and validation rows: how many passes to train for.

Few validation rows are no measure: on five of them, a model that has learned nothing may look as
good as it ever will. So each row is answered once by a network that learned from rows of other
folds (Stone 1974), at every look; the look at which all these answers together are best says how
long the model then learns from all rows.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from modalloy.answer.answers import Answers, join
from modalloy.answer.loader import Loader
from modalloy.classical.rows import belonging
from modalloy.job import config
from modalloy.job.steps import course
from modalloy.judge.validate import Answering, Score, validate
from modalloy.learn import processes
from modalloy.learn.frozen_vectors import Vectors, fitted_vectors
from modalloy.learn.phase import FOLD, Watch
from modalloy.learn.plan import supervised_plan
from modalloy.learn.progress import LOG, Progress, write_log
from modalloy.learn.train import train_model
from modalloy.model.model import Model
from modalloy.table.split import Parts
from modalloy.tasks.kit import kit_of

FOLDER = "checkpoints/folds"
TENTHS = np.linspace(0, 1, 11)[1:-1]


class Fold(NamedTuple):
    """How one fold went: what was answered to its held-out rows after each look, by epoch.

    fitted: what fronts that were fitted to its training rows say of all rows.
    """

    held: np.ndarray
    looks: dict[int, Answers]
    progress: Progress
    fitted: Vectors


def assign(job: config.Job, loader: Loader, rows: np.ndarray, count: int) -> np.ndarray:
    """The fold of each row, (N,) from 0, drawn by the job's seed.

    Rows that belong together stay together, the largest groups first into the smallest fold. Rows
    that stand alone are dealt out class by class, or tenth by tenth of a number; so are those of a
    single group.
    """
    draw = np.random.default_rng(job.seed)
    labels = belonging(job, loader.cells, rows)
    order = draw.permutation(len(rows))
    fold_N = np.empty(len(rows), dtype=np.int64)
    if labels is None or len(set(labels)) == 1:
        strata = strata_of(job, loader, rows)
        order = order[np.argsort(strata[order], kind="stable")]
        fold_N[order] = np.arange(len(rows)) % count
        return fold_N
    _, group_N, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    mixed = draw.permutation(len(sizes))
    filled = np.zeros(min(count, len(sizes)), dtype=np.int64)
    for group in mixed[np.argsort(-sizes[mixed], kind="stable")]:
        fold = int(np.argmin(filled))
        fold_N[group_N == group] = fold
        filled[fold] += sizes[group]
    return fold_N


def strata_of(job: config.Job, loader: Loader, rows: np.ndarray) -> np.ndarray:
    """A number for each row by the first task's answer: its class or its tenth; 0 where neither."""
    name, options = next(iter(job.tasks.items()))
    kit, nothing = kit_of(options), np.zeros(len(rows), dtype=np.int64)
    if not kit.whole_row or options.several:
        return nothing
    target = loader.targets[name]
    truth = target.truth(loader.cells(target.columns, rows))
    if not kit.numbers:
        return np.unique([str(name) for name in truth], return_inverse=True)[1]
    number_N = np.array(truth, dtype=np.float64)  # None becomes NaN
    there = np.isfinite(number_N)
    if not there.any():
        return nothing
    tenth_N = np.searchsorted(np.quantile(number_N[there], TENTHS), number_N)
    return np.where(there, tenth_N, -1)


def as_one_of(job: config.Job, rows: int) -> config.Job:
    """The job of a fold: the batch and passes of all rows, gone through to the end."""
    way = course(job, rows)
    train = {"batch": way.batch, "epochs": way.epochs, "patience": 0}
    return job.model_copy(update={"train": job.train.model_copy(update=train)})


def train_fold(
    model: Model,
    loader: Loader,
    parts: Parts,
    job: config.Job,
    out: Path,
    *,
    quiet: bool,
    watch: Watch | None = None,
) -> Fold:
    """Train on a fold's rows and keep what is answered to the others after each look."""
    seen: list[Answers] = []

    def score() -> Score:
        seen.append(processes.answer_together(model, loader, parts.validation))
        return validate(model, loader, parts.validation, known(parts.validation, seen[-1]))

    shutil.rmtree(out, ignore_errors=True)  # of a training that was killed
    plan = replace(supervised_plan(model, loader, parts.validation), score=score)
    given = (model, loader, parts, job, out)
    progress = train_model(*given, plan=plan, quiet=quiet, phase=FOLD, watch=watch)
    epochs = [line["epoch"] for line in progress.curves]
    looks = dict(zip(epochs, seen, strict=False))
    rows = np.concatenate([parts.train, parts.validation])
    return Fold(parts.validation, looks, progress, fitted_vectors(model, loader, rows))


def together(
    model: Model, loader: Loader, rows: np.ndarray, folds: list[Fold]
) -> tuple[Progress, Answers]:
    """One progress from all folds, its scores those of all held-out rows together, and the answers
    to these rows, which ascend, after the best look.
    """
    first = folds[0].progress
    order = np.argsort(np.concatenate([fold.held for fold in folds]), kind="stable")
    found, answers = Progress(first.batch, first.epochs), {}
    for epoch in sorted(set.intersection(*(set(fold.looks) for fold in folds))):
        given = join([fold.looks[epoch] for fold in folds], order)
        score = validate(model, loader, rows, known(rows, given))
        losses = [c["loss"] for f in folds for c in f.progress.curves if c["epoch"] == epoch]
        found.curves.append(
            {
                "epoch": epoch,
                "loss": float(np.mean(losses)),
                "validation": score.figures,
                "score": score.value,
            }
        )
        if found.best is None or score.value > found.best.value:
            found.best, found.best_epoch, answers = score, epoch - 1, given
        found.epoch = epoch
    found.half, found.channels_last, found.probe = first.half, first.channels_last, first.probe
    found.seconds = sum(fold.progress.seconds for fold in folds)
    return found, answers


def known(rows: np.ndarray, answers: Answers) -> Answering:
    """Answers that are there already, for whoever asks for some of these rows (ascending)."""

    def given(_: Model, __: Loader, which: np.ndarray) -> Answers:
        at = np.searchsorted(rows, which)
        return {task: {k: v[at] for k, v in a.items()} for task, a in answers.items()}

    return given


def keep_log(out: Path, progress: Progress) -> None:
    """Write the curve of all folds together; of several processes the first one does."""
    if processes.start()[0] == 0:
        write_log(out / LOG, progress)
