"""The validation score that early stopping looks at."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from modalloy.answer.answers import Answers
from modalloy.answer.loader import Loader
from modalloy.job import config
from modalloy.judge.metrics.score import measure_of, score
from modalloy.model.model import Model
from modalloy.readers.targets.target import names_of

MOST_ROWS = 4000  # a larger validation part is sampled


class Score(NamedTuple):
    """The mean skill of all tasks (1 is perfect), and each task's figures."""

    value: float
    figures: dict[str, dict[str, float]]


Answering = Callable[[Model, Loader, np.ndarray], Answers]


def validate(model: Model, loader: Loader, which: np.ndarray, answering: Answering) -> Score:
    """Score a model on validation rows; `answering` works out its answers."""
    if len(which) > MOST_ROWS:
        which = np.sort(np.random.default_rng(0).choice(which, MOST_ROWS, replace=False))
    answers = answering(model, loader, which)
    figures = {}
    for name, options in model.job.tasks.items():
        target = loader.targets[name]
        truth = target.truth(loader.cells(target.columns, which))
        figures[name] = score(options, truth, answers[name], names_of(target))
    skills = [
        skill(model.job.tasks[name], f, len(names_of(loader.targets[name]) or ()))
        for name, f in figures.items()
    ]
    skills = [s for s in skills if np.isfinite(s)]
    return Score(float(np.mean(skills)) if skills else 0.0, figures)


def skill(options: config.TaskOptions, figures: Mapping[str, float], classes: int) -> float:
    """One number a task, comparable between tasks: what early stopping looks at.

    classify: the mean of accuracy and of AUROC (two classes) or macro F1 (more), because accuracy
    alone says nothing where one class is rare; several labels: average precision; regress: R2; tag:
    span F1; locate: mAP50. NaN where no row is labelled. Figures that these rows leave undefined do
    not count.
    """
    wanted = measure_of(options).skill(options, classes)
    found = [figures[name] for name in wanted if name in figures]
    return float(np.mean(found)) if found else float("nan")
