"""Training and test rows in, what simple methods reach on them out: the lines a model must beat.

A constant answer; gradient boosting on plain features and on a frozen encoder's features; for tags
each word's commonest tag. What each plain column tells by itself. And the naive figure: the same
boosting judged on a random split.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from modalloy import config
from modalloy.judge.bootstrap import intervals, paired_intervals
from modalloy.judge.features import Block, CellsOf, join_blocks, read_blocks, reduce, tfidf
from modalloy.judge.metrics import primary, tally
from modalloy.judge.sample import Frozen, Sample, draw
from modalloy.judge.simple import (
    Answer,
    Goal,
    boost,
    commonest_tags,
    constant,
    linear,
    linear_words,
    tree,
    varies,
)
from modalloy.table.reader import Reader
from modalloy.table.split import Parts

MOST_ROWS = 5000
CHEAP = 20
DIRECTIONS = 64  # of frozen features that boosting sees
LINEAR = 256  # of frozen features that a linear model sees
PLAIN = "gradient boosting on plain features"
FROZEN = "gradient boosting on frozen features"
WORDS = "commonest tag of each word"
JUDGED = 40  # columns whose trees are compared with the model, the strongest first

Figures = dict[str, Any]


class Baselines(NamedTuple):
    """What simple methods reach.

    table: task -> name -> figures with `interval`, perhaps `note`, and `margin`: how far the model
    is ahead in the main metric (metric, gain, interval; positive is better).
    naive: task -> metric, what, honest, naive.
    columns: task -> plain column -> figures of a small decision tree on that column alone, with
    `margin`; empty where there is only one such column.
    """

    table: dict[str, dict[str, Figures]]
    naive: dict[str, Figures]
    columns: dict[str, dict[str, Figures]]


class Fitted(NamedTuple):
    """One baseline's answers to the test rows at these positions of the sample."""

    answer: Answer
    test: np.ndarray
    note: str = ""


def baselines(
    job: config.Job,
    readers: Mapping[str, Reader],
    cells_of: CellsOf,
    parts: Parts,
    targets: Mapping[str, Any],
    *,
    frozen: Frozen | None = None,
    answers: Mapping[str, Answer] | None = None,
    groups: Sequence[Any] | None = None,
    most: int = MOST_ROWS,
    resamples: int = 200,
) -> Baselines:
    """Fit on training rows, score on test rows; at most `most` of each, drawn with the job's seed
    (CHEAP times as many where only tags are counted).

    cells_of(columns, rows) -> Cells. targets: task -> target reader. answers: the model's own on
    all of parts.test, for paired margins. groups: one label for each row of parts.test.
    """
    fitted = any(map(answers_rows, job.tasks.values()))
    sample = draw(parts, frozen, most if fitted else CHEAP * most, job.seed)
    blocks = read_blocks(readers, cells_of, sample.rows) if fitted else []
    table: dict[str, dict[str, Figures]] = {}
    naive: dict[str, Figures] = {}
    columns: dict[str, dict[str, Figures]] = {}
    # Boosting's threads wait for each other at every node of every tree: on a busy machine two of
    # them took sixteen times as long as one.
    with threadpool_limits(1):
        for task, options in job.tasks.items():
            goal = Goal.read(options, targets[task], cells_of, sample.rows)
            found = fit_all(goal, sample, blocks, frozen, job.seed)
            mine = None if answers is None else answers[task]
            table[task] = {
                name: judge(goal, fitted, sample, mine, groups, resamples)
                for name, fitted in found.items()
            }
            flattered = naive_figure(goal, sample, blocks, found, job.seed)
            if flattered and job.split.random is None:
                naive[task] = flattered
            trees = fit_columns(goal, sample, blocks, job.seed)
            columns[task] = judge_columns(goal, trees, sample, mine, groups, resamples)
    return Baselines(table, naive, {task: c for task, c in columns.items() if c})


def answers_rows(options: config.TaskOptions) -> bool:
    """Whether a task gives one answer a row."""
    return isinstance(options, config.Classify | config.Regress)


def fit_columns(
    goal: Goal, sample: Sample, blocks: Sequence[Block], seed: int
) -> dict[str, Fitted]:
    """A small tree's answers from each plain column alone, where there are several."""
    plain = [b for b in blocks if b.plain]
    train = goal.known(sample.train)
    if (
        goal.options.type not in ("classify", "regress")
        or len(plain) < 2
        or not varies(goal, train)
    ):
        return {}
    return {
        b.name: Fitted(
            tree(goal, np.asarray(b.values), train, sample.test, seed), sample.test, sample.note
        )
        for b in plain
    }


def fit_all(
    goal: Goal, sample: Sample, blocks: Sequence[Block], frozen: Frozen | None, seed: int
) -> dict[str, Fitted]:
    """Every baseline's answers by name; the constant one alone where the truth does not vary."""
    train, test = goal.known(sample.train), sample.test
    if not len(train):
        return {}
    name, answer = constant(goal, train, test)
    found = {name: Fitted(answer, test)}
    if goal.options.type == "tag":
        found[WORDS] = Fitted(commonest_tags(goal, train, test), test, sample.note)
    elif goal.options.type != "locate" and varies(goal, train):
        x_BF, codes = join_blocks(blocks, len(sample.rows), train, seed=seed)
        found[PLAIN] = Fitted(boost(goal, x_BF, codes, train, test, seed), test, sample.note)
        found |= fit_words(goal, sample, blocks, train, seed)
        if frozen is not None:
            found |= fit_frozen(goal, sample, blocks, frozen, seed)
    return found


def fit_words(
    goal: Goal, sample: Sample, blocks: Sequence[Block], train: np.ndarray, seed: int
) -> dict[str, Fitted]:
    """A linear model on the words of all text columns, plain columns beside them; none without."""
    texts = [b.values for b in blocks if isinstance(b.values, list)]
    words = tfidf([" ".join(row) for row in zip(*texts, strict=True)], train) if texts else None
    if words is None:
        return {}
    plain = [b for b in blocks if b.plain]
    x_BF, codes = join_blocks(plain, len(sample.rows), train, seed=seed)
    answer, why = linear_words(goal, words, x_BF, codes, train, sample.test)
    note = "; ".join(n for n in (sample.note, why) if n)
    return {f"{kind_of_linear(goal)} on words": Fitted(answer, sample.test, note)}


def kind_of_linear(goal: Goal) -> str:
    """What a linear model of this task is called."""
    return "ridge regression" if goal.options.type == "regress" else "logistic regression"


def fit_frozen(
    goal: Goal, sample: Sample, blocks: Sequence[Block], frozen: Frozen, seed: int
) -> dict[str, Fitted]:
    """Boosting and a linear model on frozen features, the plain columns beside them."""
    train, test = goal.known(sample.seen_train), sample.seen_test
    if not len(test) or not varies(goal, train):
        return {}
    seen = np.concatenate([sample.seen_train, sample.seen_test])
    features = np.asarray(frozen.of(sample.rows[seen]), dtype=np.float64)
    z_BF = np.full((len(sample.rows), features.shape[1]), np.nan)
    z_BF[seen] = features
    few = Block("frozen", reduce(z_BF, train, DIRECTIONS, seed))
    many = Block("frozen", reduce(z_BF, train, LINEAR, seed), wide=True)
    plain = [b for b in blocks if b.plain]
    x_BF, codes = join_blocks([*plain, few], len(z_BF), train, seed=seed)
    boosted = boost(goal, x_BF, codes, train, test, seed)
    x_BF, codes = join_blocks([*plain, many], len(z_BF), train, seed=seed)
    answer, why = linear(goal, x_BF, codes, train, test)
    note = "; ".join(n for n in (sample.seen_note, why) if n)
    return {
        FROZEN: Fitted(boosted, test, sample.seen_note),
        f"{kind_of_linear(goal)} on frozen features": Fitted(answer, test, note),
    }


def judge(
    goal: Goal,
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
    goal: Goal,
    trees: Mapping[str, Fitted],
    sample: Sample,
    mine: Mapping[str, np.ndarray] | None,
    groups: Sequence[Any] | None,
    resamples: int,
) -> dict[str, Figures]:
    """Figures of each column's tree; of many, only the strongest have intervals and a margin.

    Intervals of 2 000 columns would take longer than the training.
    """
    found: dict[str, Figures] = {}
    for name, fitted in trees.items():
        truth = [goal.truth[i] for i in fitted.test]
        found[name] = dict(tally(goal.options, truth, fitted.answer, goal.names).score())
    metric, greater = primary(goal.options)
    known = [n for n, f in found.items() if f.get(metric) is not None]
    order = sorted(known, key=lambda n: found[n][metric], reverse=greater)
    for name in order[:JUDGED] if len(found) > JUDGED else found:
        found[name] = judge(goal, trees[name], sample, mine, groups, resamples)
    return found


def naive_figure(
    goal: Goal, sample: Sample, blocks: Sequence[Block], found: Mapping[str, Fitted], seed: int
) -> Figures:
    """The same simple method on a random split of the same rows, beside its honest figure.

    Empty where there is no such method, or a figure is undefined.
    """
    what = WORDS if goal.options.type == "tag" else PLAIN
    if what not in found:
        return {}
    mixed = np.random.default_rng(seed).permutation(goal.known(np.arange(len(sample.rows))))
    count = len(goal.known(sample.test))
    if not count:
        return {}
    test, train = np.sort(mixed[:count]), np.sort(mixed[count:])
    if what == WORDS:
        answer = commonest_tags(goal, train, test)
    else:
        x_BF, codes = join_blocks(blocks, len(sample.rows), train, seed=seed)
        answer = boost(goal, x_BF, codes, train, test, seed)
    metric, _ = primary(goal.options)
    truths = [goal.truth[i] for i in sample.test], [goal.truth[i] for i in test]
    honest, naive = (
        tally(goal.options, truth, given, goal.names).score().get(metric)
        for truth, given in zip(truths, (found[what].answer, answer), strict=True)
    )
    if honest is None or naive is None:
        return {}
    return {"metric": metric, "what": what, "honest": honest, "naive": naive}
