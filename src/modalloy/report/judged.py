"""Test rows, a model's answers to them, and the figures that are drawn of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from modalloy.answer.answers import Answers, View
from modalloy.answer.loader import Loader
from modalloy.answer.row_groups import RowGroup
from modalloy.classical.method import MethodAnswers
from modalloy.job import config
from modalloy.judge.sections import Sections
from modalloy.judge.slices import Groups
from modalloy.judge.subsets import Subsets
from modalloy.readers.targets.target import names_of
from modalloy.report.error_analysis import worst_figure, worst_rows
from modalloy.report.figure import Figure
from modalloy.report.plots import figures_for


@dataclass
class Judged:
    """Test rows with their truth, the model's answers, and what each set of inputs is worth."""

    which: np.ndarray
    truth: dict[str, list[Any]]
    answers: Answers
    groups: Groups | None
    subsets: Subsets
    seconds: dict[str, float]
    unadjusted: Answers = field(default_factory=dict)  # of tasks with a stage, before it
    simple: dict[str, dict[str, MethodAnswers]] = field(default_factory=dict)  # by task and name
    kinds: Sequence[RowGroup] = ()  # of rows, where promises are kept for each
    shuffled: dict[str, dict[str, Any]] = field(default_factory=dict)  # by task and input
    view: View | None = None  # where rows are compared with those of training


def draw_figures(job: config.Job, loader: Loader, judged: Judged, made: Sections) -> list[Figure]:
    """Plots of every task, and its worst rows."""
    figures: list[Figure] = []
    for task in job.tasks:
        plots = partial(draw_plots, job, loader, judged, task)
        figures += made.run("figures", "its plots", plots, [], task=task)
        worst = partial(draw_worst, job, loader, judged, task)
        figures += made.run("figures", "its worst rows", worst, [], task=task)
    return figures


def draw_plots(job: config.Job, loader: Loader, judged: Judged, task: str) -> list[Figure]:
    """Plots of one task."""
    options = job.tasks[task]
    on = options.works_on[:1]
    cells = loader.cells(on, judged.which) if on else None
    names = names_of(loader.targets[task])
    return figures_for(task, options, judged.truth[task], judged.answers[task], names, cells=cells)


def draw_worst(job: config.Job, loader: Loader, judged: Judged, task: str) -> list[Figure]:
    """The rows that one task got most wrong; none where it got all right."""
    options, which = job.tasks[task], judged.which
    on, names = options.works_on[:1], names_of(loader.targets[task])
    truth, answer = judged.truth[task], judged.answers[task]
    cells = loader.cells(on, which) if on else None
    worst = worst_rows(options, truth, answer, names, cells=cells)
    if not worst:
        return []
    columns = tuple(dict.fromkeys(c for r in loader.readers.values() for c in r.columns))
    shown = loader.cells(columns, which[[w.at for w in worst]])
    given = job.columns
    units = {n: u for n in loader.readers if (u := getattr(given[n], "unit", None))}
    numbers = [int(r) for r in which]
    return [
        worst_figure(
            task, options, truth, answer, loader.readers, shown, numbers, worst, units=units
        )
    ]
