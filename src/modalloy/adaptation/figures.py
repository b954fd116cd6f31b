"""Figures of a run before and after it was adapted, on new rows held back and on old test rows."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.answer.loader import Loader
from modalloy.answer.stage import Stage, adjust
from modalloy.blend.mixture import Blend
from modalloy.job import config
from modalloy.judge.compared import Pair, compare
from modalloy.judge.figures import truth_of
from modalloy.judge.metrics.score import measure_of, primary, tally
from modalloy.judge.slices import group_labels
from modalloy.judge.wording import METRICS, UNNAMED
from modalloy.learn.calibrate import answer_kept
from modalloy.model.model import Model
from modalloy.readers.targets.target import names_of

OLD = "{} (old test rows)"  # a task's name in the table, on the rows that the run was tested on


class Answering(NamedTuple):
    """All that a run answers with."""

    model: Model
    blend: Blend
    stages: Mapping[str, Stage]

    def answers(self, loader: Loader, rows: np.ndarray) -> dict[str, Answer]:
        """Its answers to these rows by task."""
        held = answer_kept(self.model, loader, rows, self.blend)
        return adjust({task: h.answer for task, h in held.items()}, self.stages)


Pairs = dict[str, dict[str, Pair]]


def compare_answers(
    loader: Loader,
    rows: np.ndarray,
    before: Mapping[str, Answer],
    after: Mapping[str, Answer],
    name: str = "{}",
) -> Pairs:
    """Each task's figures by both, on rows with an answer; name: of tasks in the table."""
    truths, groups, found = truth_of(loader, rows), group_labels(loader, rows), {}
    for task, options in loader.job.tasks.items():
        truth = truths[task]
        if all(t is None for t in truth):
            continue
        given = (options, truth, before[task], after[task], names_of(loader.targets[task]))
        wanted = [primary(options)[0], *measure_of(options).skill(options, 2)]
        metrics = list(dict.fromkeys(wanted))
        found[name.format(task)] = compare(*given, groups=groups, metrics=metrics)
    return found


def points_lost(
    loader: Loader,
    rows: np.ndarray,
    before: Mapping[str, Answer],
    after: Mapping[str, Answer],
) -> dict[str, float]:
    """How many points each task's answers to these rows are worse; below 0 they are better."""
    truths = truth_of(loader, rows)
    found = {}
    for task, options in loader.job.tasks.items():
        metric = of_one(options)
        names = names_of(loader.targets[task])
        old, new = (
            tally(options, truths[task], a[task], names).score().get(metric)
            for a in (before, after)
        )
        if old is not None and new is not None and np.isfinite(old) and np.isfinite(new):
            found[task] = 100.0 * (old - new)
    return found


def of_one(options: config.TaskOptions) -> str:
    """The figure of a task of which a hundredth is a point: its first one, R² of numbers."""
    metric = primary(options)[0]
    form = METRICS.get(metric, UNNAMED).form
    return metric if form in ("share", "number") else measure_of(options).skill(options, 2)[0]


def worst(lost: Mapping[str, float]) -> tuple[str, float]:
    """The task that loses most, and how much; nothing where nobody can say."""
    return max(lost.items(), key=lambda item: item[1], default=("", 0.0))


def beaten(lost: Mapping[str, float]) -> float:
    """Points gained in the mean of all tasks."""
    return -float(np.mean(list(lost.values()))) if lost else 0.0
