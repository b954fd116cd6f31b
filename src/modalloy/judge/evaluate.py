"""A trained model and test rows in, the whole report and its page out."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from modalloy import config
from modalloy.job import job_text
from modalloy.judge.answers import EVERYTHING, Answers, answer_rows
from modalloy.judge.baselines import baselines
from modalloy.judge.bootstrap import intervals
from modalloy.judge.facts import about, environment, rows_by_use, say_split
from modalloy.judge.frozen import Embeddings
from modalloy.judge.metrics import classification_report, primary, tally
from modalloy.judge.page import write_page
from modalloy.judge.plots import Figure, figures_for, training_figures
from modalloy.judge.slices import group_labels, input_shares, slices
from modalloy.judge.subsets import Subsets, hidden_in, score_subsets, shown_subsets
from modalloy.judge.validate import names_of
from modalloy.judge.worst import worst_figure, worst_rows
from modalloy.model.batches import Rows
from modalloy.model.model import Model
from modalloy.progress import Bar
from modalloy.report import Report
from modalloy.table.split import Parts


@dataclass
class Extras:
    """What the training knows and the test rows do not."""

    parts: Parts | None = None
    embeddings: Embeddings | None = None
    findings: Sequence[dict[str, Any]] = ()  # level and text
    curves: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    known: Report | None = None  # an earlier report, whose baselines still hold


def evaluate_rows(
    model: Model, rows: Rows, which: np.ndarray, extras: Extras, page: Path, *, quiet: bool
) -> Report:
    """Score, compare with simple methods and with every subset of inputs, and write the report.

    page: where the HTML goes; `report.json` gets the same name with another ending.
    """
    start = time.perf_counter()
    job = model.job
    subsets = shown_subsets(model.inputs) if len(model.inputs) > 1 else []
    hidden = [EVERYTHING, *(hidden_in(s, model.inputs) for s in subsets)]
    with Bar("evaluating", len(which), quiet=quiet) as bar:
        answered = answer_rows(
            model, rows, which, hidden=list(dict.fromkeys(hidden)), tick=bar.advance
        )
    answers = answered.seen[EVERYTHING]
    truth = {
        name: list(target.truth(rows.cells(target.columns, which)))
        for name, target in rows.targets.items()
    }
    groups = group_labels(rows, which)
    scoring = time.perf_counter()
    found = Subsets({}, {})
    if subsets:
        alone = {hidden_in((i,), model.inputs): a for i, a in answered.alone.items()}

        def answers_of(h: frozenset[str]) -> Answers:
            return stronger(job, rows, answered.seen[h], alone.get(h), truth)

        found = score_subsets(
            job.tasks, model.inputs, answers_of, truth, all_names(rows), groups=groups
        )
    simple, naive = compare(model, rows, extras, answers, groups)
    report = Report(
        rows=rows_by_use(extras.parts, which),
        tasks={
            n: figures_of(job.tasks[n], truth[n], answers[n], rows.targets[n], groups)
            for n in job.tasks
        },
        subsets=found.table,
        baselines=simple,
        seconds={
            **extras.seconds,
            "answering": scoring - start,
            "scoring": time.perf_counter() - scoring,
        },
        environment=environment(model),
        title=Path(str(rows.table.source)).stem or "table",
        split=say_split(job.split) if extras.parts else "all rows of the given table",
        about={n: about(job.tasks[n], truth[n]) for n in job.tasks},
        gain=found.gain,
        naive=naive,
        slices=slices(model, rows, which, truth, answers, ("category",)),
        groups=slices(model, rows, which, truth, answers, ("group",)),
        reports={
            n: classification_report(o, truth[n], answers[n], names_of(rows.targets[n]))
            for n, o in job.tasks.items()
            if not isinstance(o, config.Regress)
        },
        curves=extras.curves,
        findings=list(extras.findings),
        inputs=input_shares(rows, which),
        job=job_text(job),
    )
    figures = draw_figures(model, rows, which, truth, answers, extras)
    report.save(page.with_suffix(".json"))
    write_page(report, figures, page)
    return report


def figures_of(
    options: config.TaskOptions,
    truth: Sequence[Any],
    answer: Mapping[str, np.ndarray],
    target: Any,
    groups: Sequence[Any] | None,
) -> dict[str, Any]:
    """All figures of a task with their intervals."""
    counted = tally(options, truth, answer, names_of(target))
    ends = intervals(counted, groups=groups)
    return {**counted.score(), "interval": {k: list(v) for k, v in ends.items()}}


def compare(
    model: Model,
    rows: Rows,
    extras: Extras,
    answers: Answers,
    groups: Sequence[Any] | None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Simple methods on the same rows; taken from an earlier report where the model is the same."""
    if extras.known is not None:
        return extras.known.baselines, extras.known.naive
    if extras.parts is None:
        return {}, {}
    found = baselines(
        model.job,
        rows.readers,
        rows.cells,
        extras.parts,
        rows.targets,
        frozen=extras.embeddings,
        answers=answers,
        groups=groups,
    )
    return found.table, found.naive


def stronger(
    job: config.Job,
    rows: Rows,
    fused: Answers,
    alone: Answers | None,
    truth: Mapping[str, Sequence[Any]],
) -> Answers:
    """For each task the better of two answers: a single input deserves its strongest form."""
    if alone is None:
        return fused
    best = {}
    for name, options in job.tasks.items():
        best[name] = fused[name]
        if name not in alone:
            continue
        metric, greater = primary(options)
        names = names_of(rows.targets[name])
        values = [
            tally(options, truth[name], a[name], names).score().get(metric) for a in (fused, alone)
        ]
        if None not in values and (values[1] > values[0]) == greater:
            best[name] = alone[name]
    return best


def draw_figures(
    model: Model,
    rows: Rows,
    which: np.ndarray,
    truth: Mapping[str, Sequence[Any]],
    answers: Answers,
    extras: Extras,
) -> list[Figure]:
    """Plots of every task, its worst rows, and the training."""
    figures = training_figures(extras.curves) if extras.curves else []
    columns = tuple(dict.fromkeys(c for r in rows.readers.values() for c in r.columns))
    for name, options in model.job.tasks.items():
        names = names_of(rows.targets[name])
        on = getattr(options, "on", None)
        cells = rows.cells((on,), which) if on else None
        figures += figures_for(name, options, truth[name], answers[name], names, cells=cells)
        worst = worst_rows(options, truth[name], answers[name], names)
        if worst:
            shown = rows.cells(columns, which[[w.at for w in worst]])
            figures.append(
                worst_figure(
                    name,
                    options,
                    truth[name],
                    answers[name],
                    names,
                    rows.readers,
                    shown,
                    [int(r) for r in which],
                    worst,
                )
            )
    return figures


def all_names(rows: Rows) -> dict[str, list[str] | None]:
    """Class names of every task."""
    return {n: names_of(t) for n, t in rows.targets.items()}
