"""Figures of answers beside the truth, whoever answered: a model, a bundle, another library."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from modalloy.answer.answers import Answer
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.job.job_file import job_text
from modalloy.judge.facts import about
from modalloy.judge.figures import drawn_by, figures_of, gain_over_columns
from modalloy.judge.metrics.score import classification_report
from modalloy.judge.report import Report
from modalloy.judge.sections import Runner, at_once
from modalloy.judge.slices import Groups, slices
from modalloy.judge.subsets import Subsets

Names = Mapping[str, Sequence[str] | None]  # task -> its classes, tags or kinds of boxes
Columns = Mapping[str, Sequence[str]]  # column -> each row's value, `missing` where it has none
NO_SUBSETS = Subsets({}, {})


def report_of(
    job: config.Job,
    answers: Mapping[str, Answer],
    truth: Mapping[str, Sequence[Any]],
    *,
    names: Names,
    groups: Groups | None = None,
    sliced: Columns | None = None,
    grouped: Columns | None = None,
    subsets: Subsets = NO_SUBSETS,
    inputs: Sequence[str] = (),
    known: Report | None = None,
    run: Runner = at_once,
) -> Report:
    """Every figure of every task with its interval, by class, by slice and by group.

    answers: task -> what `answer/decoding/build.py` says of its kind, B rows. truth: task -> B true
    answers on the same scale, None where nobody knows: a name (classify), a list of names (classify
    multi), a number - with `scale: log` its logarithm - (regress), a list of tags (tag), `boxes`
    and `names` (locate). names: task -> class names in the order of `probability`'s columns; other
    tasks need none. groups: which rows belong together, for intervals. sliced, grouped: columns
    whose values get figures of their own. subsets, inputs: what hiding inputs of the model cost.
    known: a report that these figures are added to; run: what each part is computed by, see
    `baselines`.

    Raises TableError where answers and truth do not fit one another or the job.
    """
    check_rows(job, answers, truth, names)
    count = len(next(iter(truth.values())))
    known = known or Report(rows={"test": count}, title="answers", job=job_text(job))
    tasks, gain, abouts, reports = {}, dict(subsets.gain), {}, {}
    for name, options in job.tasks.items():
        given, called = (options, truth[name], answers[name]), names.get(name)
        figures = partial(figures_of, *given, called, groups)
        tasks[name] = run("tasks", "its figures", figures, {}, task=name)
        said = partial(about, options, truth[name], called)
        abouts[name] = run("about", "what it asks", said, {}, task=name)
        if len(inputs) == 1 and known.columns.get(name):
            over = partial(gain_over_columns, options, tasks[name], known.columns[name])
            gain[name] = run("gain", "its gain over the best column", over, {}, task=name)
        if called is not None:
            by_class = partial(classification_report, *given, called)
            reports[name] = run("reports", "its figures class by class", by_class, "", task=name)
    labels = groups.labels if groups else None
    parts = partial(slices, job.tasks, names, truth=truth, answers=answers)
    by_value = partial(parts, sliced or {}, groups=labels)
    by_group = partial(parts, grouped or {})
    return replace(
        known,
        tasks=tasks,
        subsets=subsets.table,
        about=abouts,
        gain={n: g for n, g in gain.items() if g},
        drawn=drawn_by(groups),
        slices=run("slices", "figures by the values of each category", by_value, {}),
        groups=run("groups", "figures by group", by_group, {}),
        reports=reports,
    )


def check_rows(
    job: config.Job, answers: Mapping[str, Answer], truth: Mapping[str, Sequence[Any]], names: Names
) -> None:
    """Refuse tasks without answers or truth, and answers to another number of rows."""
    for name in job.tasks:
        for what, given in (("answers", answers), ("truth", truth)):
            if name not in given:
                raise TableError(f"{what}: nothing is given for task '{name}' of the job.")
        rows = len(truth[name])
        for key, array in answers[name].items():
            if len(array) != rows:
                raise TableError(
                    f"answers: task '{name}' has {len(array)} of '{key}', its truth {rows} rows; "
                    "both need one a row, in the same order."
                )
        if "probability" in answers[name]:
            called, columns = names.get(name), answers[name]["probability"].shape[1]
            if called is None or len(called) != columns:
                raise TableError(
                    f"names: task '{name}' has {columns} columns of probabilities and "
                    f"{len(called or ())} names; give one name a column."
                )
