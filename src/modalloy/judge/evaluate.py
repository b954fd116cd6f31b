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
from modalloy.model.model import Model, essential_inputs
from modalloy.progress import Bar
from modalloy.report import Report
from modalloy.table.split import Parts, joined


@dataclass
class Extras:
    """What the training knows and the test rows do not."""

    parts: Parts | None = None
    embeddings: Embeddings | None = None
    findings: Sequence[dict[str, Any]] = ()  # as `check` says them
    curves: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    known: Report | None = None  # an earlier report, whose baselines still hold
    refit: bool = False  # the model learned from the validation rows too, in the end


@dataclass
class Judged:
    """Test rows with their truth, the model's answers, and what each set of inputs is worth."""

    which: np.ndarray
    truth: dict[str, list[Any]]
    answers: Answers
    groups: list[str] | None
    subsets: Subsets
    seconds: dict[str, float]


def evaluate_rows(
    model: Model, rows: Rows, which: np.ndarray, extras: Extras, page: Path, *, quiet: bool
) -> Report:
    """Score, compare with simple methods and with every subset of inputs, and write the report.

    page: where the HTML goes; `report.json` gets the same name with another ending.
    """
    judged = judge_rows(model, rows, which, quiet=quiet)
    report = report_of(model, rows, judged, extras)
    figures = draw_figures(model, rows, judged, extras)
    report.save(page.with_suffix(".json"))
    write_page(report, figures, page)
    return report


def judge_rows(model: Model, rows: Rows, which: np.ndarray, *, quiet: bool) -> Judged:
    """Answers with everything seen and with inputs hidden.

    Inputs that a tag or locate task works on cannot be hidden: such jobs have no subsets.
    """
    start = time.perf_counter()
    inputs = model.inputs
    split_up = len(inputs) > 1 and not essential_inputs(model.job)
    subsets = shown_subsets(inputs) if split_up else []
    hidden = dict.fromkeys([EVERYTHING, *(hidden_in(s, inputs) for s in subsets)])
    with Bar("evaluating", len(which), quiet=quiet) as bar:
        answered = answer_rows(model, rows, which, hidden=list(hidden), tick=bar.advance)
    truth = {
        name: list(target.truth(rows.cells(target.columns, which)))
        for name, target in rows.targets.items()
    }
    groups = group_labels(rows, which)
    scoring = time.perf_counter()
    found = Subsets({}, {})
    if subsets:
        alone = {hidden_in((i,), inputs): a for i, a in answered.alone.items()}

        def answers_of(h: frozenset[str]) -> Answers:
            return stronger(model.job, rows, answered.seen[h], alone.get(h), truth)

        names = all_names(rows)
        found = score_subsets(model.job.tasks, inputs, answers_of, truth, names, groups=groups)
    seconds = {"answering": scoring - start, "scoring": time.perf_counter() - scoring}
    return Judged(which, truth, answered.seen[EVERYTHING], groups, found, seconds)


def report_of(model: Model, rows: Rows, judged: Judged, extras: Extras) -> Report:
    """Everything in numbers and words."""
    job, truth, answers = model.job, judged.truth, judged.answers
    start = time.perf_counter()
    simple, naive = compare(model, rows, extras, answers, judged.groups)
    baselines_s = {"baselines": time.perf_counter() - start}
    return Report(
        rows=rows_by_use(extras.parts, judged.which, extras.refit),
        tasks={
            n: figures_of(o, truth[n], answers[n], rows.targets[n], judged.groups)
            for n, o in job.tasks.items()
        },
        subsets=judged.subsets.table,
        baselines=simple,
        seconds={**extras.seconds, **judged.seconds, **baselines_s},
        environment=environment(model),
        title=title_of(str(rows.table.source)),
        split=say_split(job.split) if extras.parts else "all rows of the given table",
        about={n: about(o, truth[n], all_names(rows)[n]) for n, o in job.tasks.items()},
        gain=judged.subsets.gain,
        naive=naive,
        slices=slices(rows, judged.which, truth, answers, ("category",), groups=judged.groups),
        groups=slices(rows, judged.which, truth, answers, ("group",)),
        reports={
            n: classification_report(o, truth[n], answers[n], names_of(rows.targets[n]))
            for n, o in job.tasks.items()
            if not isinstance(o, config.Regress)
        },
        curves=extras.curves,
        findings=list(extras.findings),
        inputs=input_shares(rows, judged.which),
        job=job_text(job),
    )


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
        joined(extras.parts) if extras.refit else extras.parts,
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
        ours, own = (
            tally(options, truth[name], a[name], names).score().get(metric) for a in (fused, alone)
        )
        if ours is not None and own is not None and (own > ours) == greater:
            best[name] = alone[name]
    return best


def draw_figures(model: Model, rows: Rows, judged: Judged, extras: Extras) -> list[Figure]:
    """Plots of every task, its worst rows, and the training."""
    figures = training_figures(extras.curves, model.job.tasks) if extras.curves else []
    which = judged.which
    columns = tuple(dict.fromkeys(c for r in rows.readers.values() for c in r.columns))
    options_of = model.job.columns
    units = {n: u for n in rows.readers if (u := getattr(options_of[n], "unit", None))}
    for name, options in model.job.tasks.items():
        names, on = names_of(rows.targets[name]), getattr(options, "on", None)
        truth, answer = judged.truth[name], judged.answers[name]
        cells = rows.cells((on,), which) if on else None
        figures += figures_for(name, options, truth, answer, names, cells=cells)
        worst = worst_rows(options, truth, answer, names, cells=cells)
        if worst:
            shown = rows.cells(columns, which[[w.at for w in worst]])
            numbers = [int(r) for r in which]
            figures.append(
                worst_figure(
                    name,
                    options,
                    truth,
                    answer,
                    names,
                    rows.readers,
                    shown,
                    numbers,
                    worst,
                    units=units,
                )
            )
    return figures


def all_names(rows: Rows) -> dict[str, list[str] | None]:
    """Class names of every task."""
    return {n: names_of(t) for n, t in rows.targets.items()}


def title_of(source: str) -> str:
    """The table's name; its folder's where the file is called `table` or `data`, as many are."""
    path = Path(source)
    name = path.parent.name if path.stem.lower() in ("table", "data") else path.stem
    return name or "table"
