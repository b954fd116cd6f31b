"""A trained model and test rows in, the whole report and its page out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from modalloy import config
from modalloy.job import job_text
from modalloy.judge.answers import EVERYTHING, Answers, answer_rows
from modalloy.judge.baselines import Baselines, baselines
from modalloy.judge.caveats import Usual, sentence, table_caveats
from modalloy.judge.facts import about, environment, rows_by_use, say_split
from modalloy.judge.figures import drawn_by, figures_of, gain_over_columns, truth_of
from modalloy.judge.frozen import Embeddings
from modalloy.judge.metrics import classification_report
from modalloy.judge.page import write_page
from modalloy.judge.plots import Figure, figures_for, training_figures
from modalloy.judge.slices import Groups, group_labels, input_shares, slices
from modalloy.judge.subsets import Subsets, hidden_in, score_subsets, shown_subsets
from modalloy.judge.validate import names_of
from modalloy.judge.worst import worst_figure, worst_rows
from modalloy.model.batches import Rows
from modalloy.model.model import Model, essential_inputs
from modalloy.progress import Bar
from modalloy.report import Report
from modalloy.table.finding import Finding, finding
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
    before: dict[str, dict[str, Any]] = field(default_factory=dict)  # figures by task, with `label`
    caveats: Sequence[Finding] = ()  # on the columns of the table
    usual: Usual | None = None  # what was counted of training cells; of another table alone


@dataclass
class Judged:
    """Test rows with their truth, the model's answers, and what each set of inputs is worth."""

    which: np.ndarray
    truth: dict[str, list[Any]]
    answers: Answers
    groups: Groups | None
    subsets: Subsets
    seconds: dict[str, float]


def evaluate_rows(
    model: Model, rows: Rows, which: np.ndarray, extras: Extras, page: Path, *, quiet: bool
) -> Report:
    """Score, compare with simple methods and with every subset of inputs, and write the report.

    page: where the HTML goes; `report.json` gets the same name with another ending. Without a test
    row the report says so and holds what is known without one.
    """
    if len(which):
        judged = judge_rows(model, rows, which, quiet=quiet)
        report = report_of(model, rows, judged, extras)
        figures = draw_figures(model, rows, judged, extras)
    else:
        report = report_without_rows(model, rows, extras)
        figures = training_figures(extras.curves, model.job.tasks)
    report.save(page.with_suffix(".json"))
    write_page(report, figures, page)
    return report


def judge_rows(model: Model, rows: Rows, which: np.ndarray, *, quiet: bool) -> Judged:
    """Answers with everything seen and with inputs hidden.

    Inputs that a tag or locate task works on are never hidden.
    """
    start = time.perf_counter()
    inputs, always = model.inputs, essential_inputs(model.job)
    subsets = shown_subsets(inputs, always) if len(inputs) > 1 else []
    hidden = dict.fromkeys([EVERYTHING, *(hidden_in(s, inputs) for s in subsets)])
    with Bar("evaluating", len(which), quiet=quiet) as bar:
        answered = answer_rows(model, rows, which, hidden=list(hidden), tick=bar.advance)
    truth = truth_of(rows, which)
    groups = group_labels(rows, which)
    scoring = time.perf_counter()
    found = Subsets({}, {})
    if len(subsets) > 1 or answered.alone:
        found = score_subsets(
            model.job.tasks,
            inputs,
            answered.seen.__getitem__,
            truth,
            {n: names_of(t) for n, t in rows.targets.items()},
            always=always,
            alone=answered.alone,
            groups=groups.labels if groups else None,
        )
    seconds = {"answering": scoring - start, "scoring": time.perf_counter() - scoring}
    return Judged(which, truth, answered.seen[EVERYTHING], groups, found, seconds)


def report_of(model: Model, rows: Rows, judged: Judged, extras: Extras) -> Report:
    """Everything in numbers and words."""
    job, truth, answers = model.job, judged.truth, judged.answers
    start = time.perf_counter()
    caveats = [*extras.caveats]
    if extras.usual is not None:
        caveats += table_caveats(rows, judged.which, truth, extras.usual)
    simple = compare(model, rows, extras, answers, judged.groups)
    baselines_s = {"baselines": time.perf_counter() - start}
    tasks = {
        n: figures_of(o, truth[n], answers[n], rows.targets[n], judged.groups)
        for n, o in job.tasks.items()
    }
    gain, labels = judged.subsets.gain, judged.groups.labels if judged.groups else None
    if len(model.inputs) == 1:
        over = {n: gain_over_columns(job.tasks[n], tasks[n], c) for n, c in simple.columns.items()}
        gain = {n: g for n, g in over.items() if g}
    return Report(
        rows=rows_by_use(extras.parts, judged.which, extras.refit),
        tasks=tasks,
        subsets=judged.subsets.table,
        baselines=simple.table,
        seconds={**extras.seconds, **judged.seconds, **baselines_s},
        environment=environment(model),
        title=title_of(str(rows.table.source)),
        split=say_split(job.split) if extras.parts else "all rows of the given table",
        about={n: about(o, truth[n], names_of(rows.targets[n])) for n, o in job.tasks.items()},
        gain=gain,
        naive=simple.naive,
        columns=simple.columns,
        before=extras.before,
        drawn=drawn_by(judged.groups),
        slices=slices(rows, judged.which, truth, answers, ("category",), groups=labels),
        groups=slices(rows, judged.which, truth, answers, ("group",)),
        reports={
            n: classification_report(o, truth[n], answers[n], names_of(rows.targets[n]))
            for n, o in job.tasks.items()
            if not isinstance(o, config.Regress)
        },
        curves=extras.curves,
        findings=[*extras.findings, *(c.as_dict() for c in caveats)],
        caveats=[sentence(c) for c in caveats],
        inputs=input_shares(rows, judged.which),
        job=job_text(job),
    )


def report_without_rows(model: Model, rows: Rows, extras: Extras) -> Report:
    """What is known of a model that no test row was kept for."""
    nobody = "no test rows were kept: nobody knows how well this model answers"
    return Report(
        rows=rows_by_use(extras.parts, np.zeros(0, np.int64), extras.refit),
        seconds=extras.seconds,
        environment=environment(model),
        title=title_of(str(rows.table.source)),
        split=nobody,
        curves=extras.curves,
        findings=[*extras.findings, finding("warning", "split", nobody).as_dict()],
        job=job_text(model.job),
    )


def compare(
    model: Model,
    rows: Rows,
    extras: Extras,
    answers: Answers,
    groups: Groups | None,
) -> Baselines:
    """Simple methods on the same rows; taken from an earlier report where the model is the same."""
    known = extras.known
    if known is not None:
        return Baselines(known.baselines, known.naive, known.columns)
    if extras.parts is None:
        return Baselines({}, {}, {})
    return baselines(
        model.job,
        rows.readers,
        rows.cells,
        joined(extras.parts) if extras.refit else extras.parts,
        rows.targets,
        frozen=extras.embeddings,
        answers=answers,
        groups=groups.labels if groups else None,
    )


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
                    rows.readers,
                    shown,
                    numbers,
                    worst,
                    units=units,
                )
            )
    return figures


def title_of(source: str) -> str:
    """The table's name; its folder's where the file is called `table` or `data`, as many are."""
    path = Path(source)
    name = path.parent.name if path.stem.lower() in ("table", "data") else path.stem
    return name or "table"
