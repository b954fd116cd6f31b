"""How strongly a classical model is held back: chosen on training rows that it has not seen.

Test rows choose nothing, and rows that belong together are never on both sides of the choice.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from modalloy.answer.answers import Answer
from modalloy.classical.truth import TaskTruth
from modalloy.judge.metrics.score import primary, tally

SMALL = 1500  # training rows up to which every row is held out once; beyond, a quarter of them is
PARTS = 4
PATIENCE = 2  # candidates without a gain after which the rest are not tried

Score = tuple[float, float]
WORST: Score = (-np.inf, -np.inf)
Candidate = TypeVar("Candidate")


class Fold(NamedTuple):
    """Training rows to learn from, and those to choose by; positions within a sample."""

    fit: np.ndarray
    check: np.ndarray


def folds_of(
    train: np.ndarray, groups: Sequence[Any] | None, seed: int, *, every: bool = False
) -> list[Fold]:
    """Ways to hold out a part of the training rows; none where there is nothing to hold out.

    train: positions within a sample. groups: a label for each row of the sample; rows of one label
    stay together. every: each row is held out once, however many there are.
    """
    unit_N = np.arange(len(train))
    if groups is not None:
        unit_N = np.unique([str(groups[i]) for i in train], return_inverse=True)[1]
    units = int(unit_N.max(initial=-1)) + 1
    if units < 2:
        return []
    part_U = np.random.default_rng(seed).permutation(units) % min(PARTS, units)
    part_N = part_U[unit_N]
    wanted = range(part_N.max() + 1) if every or len(train) <= SMALL else range(1)
    return [Fold(train[part_N != p], train[part_N == p]) for p in wanted]


def best_of(
    task: TaskTruth,
    candidates: Iterable[Candidate],
    answer_of: Callable[[Candidate, Fold], Answer],
    folds: Sequence[Fold],
) -> Candidate:
    """The candidate whose answers to held-out rows are best in the task's main figure.

    candidates: from the most to the least held back; of equals the first. Without a row to choose
    by it is the middle one.
    """
    every = list(candidates)
    best, reached, without = every[len(every) // 2], WORST, 0
    for candidate in every:
        score = held_out_score(task, [(f, answer_of(candidate, f)) for f in folds])
        if score is None:
            break
        if score > reached:
            best, reached, without = candidate, score, 0
        else:
            without += 1
        if without == PATIENCE:
            break
    return best


def held_out_score(task: TaskTruth, answered: Sequence[tuple[Fold, Answer]]) -> Score | None:
    """The task's main figure over all held-out rows, of equals by log loss; more is better.

    None where it is undefined.
    """
    if not answered:
        return None
    known = [task.truth[i] for fold, _ in answered for i in fold.check]
    answers = [answer for _, answer in answered]
    joined = {k: np.concatenate([a[k] for a in answers]) for k in answers[0]}
    metric, greater = primary(task.options)
    figures = tally(task.options, known, joined, task.names).score()
    if metric not in figures:
        return None
    return figures[metric] * (1 if greater else -1), -figures.get("log_loss", 0.0)
