"""Judging answers, whoever gave them: figures with intervals, what is asked, class by class."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from modalloy.answer.answers import Answers
from modalloy.job import config
from modalloy.judge.metrics.bootstrap import intervals
from modalloy.judge.metrics.score import classification_report, measure_of, primary, tally
from modalloy.judge.report import Report
from modalloy.judge.sections import Sections
from modalloy.judge.slices import Groups

Names = Sequence[str] | None  # of classes, tags or kinds of boxes; None for numbers


def report_of(
    job: config.Job,
    answers: Answers,
    truth: Mapping[str, Sequence[Any]],
    names: Mapping[str, Names],
    *,
    groups: Groups | None = None,
    made: Sections | None = None,
) -> Report:
    """The figures of answers to B rows; no network is needed, and none is asked.

    answers: task -> its answer, see `answer/decoding/build.py`. truth: task -> the right answer of
    each row, None where nobody knows. names: task -> the classes that its answers are about, in the
    order of their probabilities. groups: what keeps rows together; intervals then draw whole
    groups. made: gets what cannot be computed, which costs nothing else.
    """
    made = Sections() if made is None else made
    tasks, abouts, reports = {}, {}, {}
    for name, options in job.tasks.items():
        given = (options, truth[name], answers[name])
        figures = partial(scored, *given, names[name], groups)
        tasks[name] = made.run("tasks", "its figures", figures, {}, task=name)
        said = partial(about, options, truth[name], names[name])
        abouts[name] = made.run("about", "what it asks", said, {}, task=name)
        if names[name] is not None:
            by_class = partial(classification_report, *given, names[name])
            reports[name] = made.run(
                "reports", "its figures class by class", by_class, "", task=name
            )
    rows = {"test": max((len(t) for t in truth.values()), default=0)}
    return Report(
        rows=rows,
        tasks=tasks,
        about=abouts,
        reports=reports,
        drawn=drawn_by(groups),
        failed=made.failed,
    )


def scored(
    options: config.TaskOptions,
    truth: Sequence[Any],
    answer: Mapping[str, np.ndarray],
    names: Names,
    groups: Groups | None,
) -> dict[str, Any]:
    """All figures of a task with their intervals."""
    counted = tally(options, truth, answer, names)
    ends = intervals(counted, groups=groups.labels if groups else None)
    return {**counted.score(), "interval": {k: list(v) for k, v in ends.items()}}


def about(
    options: config.TaskOptions, truth: Sequence[Any], names: Sequence[str] | None = None
) -> dict[str, Any]:
    """What a task asks, for the page; `rarer` is the class that average precision is about.
    `classes`: how many of these rows have each class; None where the task has none.
    """
    return {
        "type": options.type,
        "target": options.target,
        "unit": getattr(options, "unit", None),
        "scale": getattr(options, "scale", None),
        "primary": primary(options)[0],
        "rows": sum(t is not None for t in truth),
        "quantiles": list(getattr(options, "quantiles", ())),
        **measure_of(options).about(options, truth, names or ()),
    }


def drawn_by(groups: Groups | None) -> dict[str, Any]:
    """What intervals draw anew; see `Report.drawn`."""
    return {"by": groups.column, "groups": len(set(groups.labels))} if groups else {}
