"""What simple methods reach on the test rows: the lines that a model must beat.

A constant answer; gradient boosting and a linear model on plain features, on words and on a frozen
encoder's features; for tags each word's commonest tag and a linear tagger; for boxes those that
come again. What each tabular column tells by itself. And the naive figure: the same method judged
on a random split.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from modalloy.answer.answers import Answer
from modalloy.classical.blocks import FeatureBlock, read_block
from modalloy.classical.method import MethodAnswers
from modalloy.classical.rows import CellsOf, Embedded, belonging, most_rows
from modalloy.job import config
from modalloy.judge.baselines.baseline import baseline_of
from modalloy.judge.baselines.baseline_models import BaselineTask
from modalloy.judge.baselines.lines import Case, Fitted, column_lines, lines_of
from modalloy.judge.baselines.sample import Sample, draw
from modalloy.judge.metrics.bootstrap import intervals, paired_intervals
from modalloy.judge.metrics.score import primary, tally
from modalloy.judge.sections import Runner, at_once
from modalloy.readers.reader import Reader
from modalloy.table.split import Parts
from modalloy.tasks.kit import kit_of

RECIPE = 3  # how the simple methods are made: lines of an older report are made anew
PART = "baselines"  # of a report; see `sections.py`
JUDGED = 40  # columns whose trees are compared with the model, the strongest first

Figures = dict[str, Any]


class Baselines(NamedTuple):
    """What simple methods reach.

    table: task -> name -> figures with `interval`, perhaps `note`, and `margin`: how far the model
    is ahead in the main metric (metric, gain, interval; positive is better).
    naive: task -> metric, what, honest, naive.
    columns: task -> tabular column -> figures of a small decision tree on that column alone, with
    `margin`; empty where there is only one such column.
    """

    table: dict[str, dict[str, Figures]]
    naive: dict[str, Figures]
    columns: dict[str, dict[str, Figures]]


def baselines(
    job: config.Job,
    readers: Mapping[str, Reader],
    cells_of: CellsOf,
    parts: Parts,
    targets: Mapping[str, Any],
    *,
    frozen: Embedded | None = None,
    answers: Mapping[str, Answer] | None = None,
    groups: Sequence[Any] | None = None,
    fitted: Mapping[str, Mapping[str, MethodAnswers]] | None = None,
    most: int | None = None,
    resamples: int = 200,
    run: Runner = at_once,
) -> Baselines:
    """Fit on training rows, score on test rows; at most `most` of each, drawn with the job's seed
    (as many as `most_rows` says where it is left out).

    cells_of(columns, rows) -> Cells. targets: task -> target reader. answers: the model's own on
    all of parts.test, for paired margins. groups: one label for each row of parts.test. fitted:
    task -> name -> answers to all of parts.test of methods that learned from these very training
    rows, as a blend's do, with what is to be said of their fits; they are the task's lines, and
    none is fitted again. run: what each part is computed by; that of a report's sections names
    what fails and goes on.
    """
    plain = any(
        kit_of(options).whole_row or baseline_of(options).plain for options in job.tasks.values()
    )
    read = readers if plain else {}
    sample = draw(parts, frozen, most or most_rows(read), job.seed)
    blocks = read_all(read, cells_of, sample.rows, run)
    said = "which rows belong together"
    together = run(PART, said, partial(belonging, job, cells_of, sample.rows), None)
    found = Baselines({}, {}, {})
    # Boosting's threads wait for each other at every node of every tree: on a busy machine two of
    # them took sixteen times as long as one.
    with threadpool_limits(1):
        for task, options in job.tasks.items():
            truth = partial(BaselineTask.read, options, targets[task], cells_of, sample.rows)
            goal = run(PART, "the truth of the rows for simple methods", truth, None, task=task)
            if goal is None:
                continue
            known = (fitted or {}).get(task, {})
            case = Case(goal, sample, blocks, frozen, together, job.seed, known)
            mine = None if answers is None else answers.get(task)
            scored = partial(
                judge, goal, sample=sample, mine=mine, groups=groups, resamples=resamples
            )
            lines = fit_all(lines_of(case), run, task)
            found.table[task] = judge_all(lines, scored, run, task)
            columns = fit_all(column_lines(case), run, task)
            found.columns[task] = judge_columns(columns, goal, scored, run, task)
            if job.split.random is None:
                naive = partial(naive_figure, case, lines)
                found.naive[task] = run(PART, "the naive figure", naive, {}, task=task)
    naive, columns = ({t: f for t, f in d.items() if f} for d in (found.naive, found.columns))
    return Baselines(found.table, naive, columns)


def read_all(
    readers: Mapping[str, Reader], cells_of: CellsOf, rows: np.ndarray, run: Runner
) -> list[FeatureBlock]:
    """One block a reader, rows in the order asked for; a column that cannot be read is left out."""

    def read(reader: Reader) -> FeatureBlock:
        return read_block(reader, cells_of(reader.columns, rows))

    found = []
    for name, reader in readers.items():
        what = f"plain features of '{name}' for simple methods"
        block = run(PART, what, partial(read, reader), None)
        found += [] if block is None else [block]
    return found


def fit_all(lines: Mapping[str, Callable[[], Fitted]], run: Runner, task: str) -> dict[str, Fitted]:
    """Answers of every line that can be fitted."""
    fitted = {name: run(PART, name, fit, None, task=task) for name, fit in lines.items()}
    return {name: f for name, f in fitted.items() if f is not None}


def judge_all(
    fitted: Mapping[str, Fitted], scored: Callable[[Fitted], Figures], run: Runner, task: str
) -> dict[str, Figures]:
    """Figures of every line that can be scored."""
    found = {n: run(PART, n, partial(scored, f), None, task=task) for n, f in fitted.items()}
    return {name: figures for name, figures in found.items() if figures is not None}


def judge(
    goal: BaselineTask,
    fitted: Fitted,
    sample: Sample,
    mine: Mapping[str, np.ndarray] | None,
    groups: Sequence[Any] | None,
    resamples: int,
) -> Figures:
    """Figures of one baseline, and how far the model is ahead of it on the same rows.

    No margin where one of the two has no such figure: a model without spans on rows without spans.
    """
    truth = [goal.truth[i] for i in fitted.test]
    at = sample.test_at[fitted.test - len(sample.train)]
    labels = None if groups is None else [groups[i] for i in at]
    theirs = tally(goal.options, truth, fitted.answer, goal.names)
    figures: Figures = dict(theirs.score())
    ends = intervals(theirs, groups=labels, resamples=resamples)
    figures["interval"] = {k: list(v) for k, v in ends.items()}
    if fitted.note:
        figures["note"] = fitted.note
    metric, greater = primary(goal.options)
    if mine is None or metric not in figures:
        return figures
    sign = 1.0 if greater else -1.0
    ours = tally(goal.options, truth, {k: np.asarray(v)[at] for k, v in mine.items()}, goal.names)
    reached = ours.score().get(metric)
    if reached is None:
        return figures
    figures["margin"] = {"metric": metric, "gain": sign * (reached - figures[metric])}
    apart = paired_intervals(ours, theirs, groups=labels, resamples=resamples).get(metric)
    if apart is not None:
        figures["margin"]["interval"] = sorted(sign * v for v in apart)
    return figures


def judge_columns(
    trees: Mapping[str, Fitted],
    goal: BaselineTask,
    scored: Callable[[Fitted], Figures],
    run: Runner,
    task: str,
) -> dict[str, Figures]:
    """Figures of each column's tree; of many, only the strongest have intervals and a margin.

    Intervals of 2 000 columns would take longer than the training.
    """
    if len(trees) <= JUDGED:
        return judge_all(trees, scored, run, task)

    def score(fitted: Fitted) -> Figures:
        truth = [goal.truth[i] for i in fitted.test]
        return dict(tally(goal.options, truth, fitted.answer, goal.names).score())

    found = judge_all(trees, score, run, task)
    metric, greater = primary(goal.options)
    known = [n for n, f in found.items() if f.get(metric) is not None]
    order = sorted(known, key=lambda n: found[n][metric], reverse=greater)
    return found | judge_all({n: trees[n] for n in order[:JUDGED]}, scored, run, task)


def naive_figure(case: Case, fitted: Mapping[str, Fitted]) -> Figures:
    """The same simple method on a random split of the same rows, beside its honest figure.

    Empty where there is no such method, or a figure is undefined.
    """
    goal, sample = case.goal, case.sample
    of = baseline_of(goal.options)
    count = len(goal.known(sample.test))
    if of.naive not in fitted or not count:
        return {}
    mixed = np.random.default_rng(case.seed).permutation(goal.known(np.arange(len(sample.rows))))
    test, train = np.sort(mixed[:count]), np.sort(mixed[count:])
    # Tuned as one would who takes rows for independent of each other.
    answer = of.again(Case(goal, sample, case.blocks, None, None, case.seed), train, test)
    metric, _ = primary(goal.options)
    truths = [goal.truth[i] for i in sample.test], [goal.truth[i] for i in test]
    honest, naive = (
        tally(goal.options, truth, given, goal.names).score().get(metric)
        for truth, given in zip(truths, (fitted[of.naive].answer, answer), strict=True)
    )
    if honest is None or naive is None:
        return {}
    return {"metric": metric, "what": of.naive, "honest": honest, "naive": naive}
