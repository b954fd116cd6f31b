"""How far answers of a network hold on test rows: as they are, and under the suite of attacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np

from modalloy.answer.answers import Answers
from modalloy.answer.loader import Loader
from modalloy.attacks.budget import Budget
from modalloy.attacks.results import Suite
from modalloy.attacks.suite import run_suite
from modalloy.attacks.trial import Effort
from modalloy.hardening.answers import answers_to, batches_of
from modalloy.job import config
from modalloy.judge.metrics.bootstrap import draw_weights
from modalloy.model.model import Model

QUICK = Effort(steps=20, restarts=2, aims=3, queries=100)
TAIL = 0.025  # of drawn differences, on either side of an interval


@dataclass(frozen=True)
class Judged:
    """What was found of one network.

    clean: answers to all test rows. rows: those that were attacked. suite: what attacks found, of
    the tasks that these rows have an answer of.
    """

    clean: Answers
    rows: np.ndarray
    suite: Suite


def judge_rows(
    model: Model, loader: Loader, which: np.ndarray, budgets: Sequence[Budget]
) -> Judged:
    """Judge a network by test rows: all of them as they are, and a part under attack."""
    options = model.job.harden
    rows = drawn_rows(which, options.rows)
    clean, batches = answers_to(model, loader, which), list(batches_of(model, loader, rows))
    known = [n for n in model.tasks if any(b.targets[n]["known"].any() for b in batches)]
    effort = effort_of(options)
    found = run_suite(model, batches, budgets, effort=effort, tasks=known, cells_of=loader.cells)
    return Judged(clean, rows, found)


def effort_of(options: config.Harden) -> Effort:
    """How hard the suite tries."""
    match options.effort:
        case "quick":
            return QUICK
        case "full":
            return Effort()
        case other:
            assert_never(other)


def drawn_rows(which: np.ndarray, most: int) -> np.ndarray:
    """At most so many of some rows, always the same."""
    if len(which) <= most:
        return which
    return np.sort(np.random.default_rng(0).choice(which, most, replace=False))


def gain_interval(
    suites: tuple[Suite, Suite], task: str, attack: str, groups: Sequence[str] | None
) -> tuple[float, float] | None:
    """95 % of how much a figure changes from the first suite to the second, with rows, or groups of
    them, drawn anew; None where fewer than two are known.

    groups: a label for each row with a known answer.
    """
    costs: list[Mapping[str, np.ndarray]] = [suite.costs[task] for suite in suites]
    old_N, new_N = (own[attack] for own in costs)
    result = suites[0].tasks[task]
    scale = scale_of(result.figure, suites, task)
    changes = []
    for weight_NR in draw_weights(len(old_N), groups, 400, 0):
        total_R = np.maximum(weight_NR.sum(0), 1e-12)
        both = [(weight_NR * cost_N[:, None]).sum(0) / total_R for cost_N in (old_N, new_N)]
        figures = [told(result.figure, mean_R, scale) for mean_R in both]
        changes.append(figures[1] - figures[0])
    if not changes:
        return None
    low, high = np.quantile(np.concatenate(changes), [TAIL, 1 - TAIL])
    return float(low), float(high)


def scale_of(figure: str, suites: tuple[Suite, Suite], task: str) -> float:
    """What turns the root of a mean squared cost into the unit of the task."""
    result, costs = suites[0].tasks[task], suites[0].costs[task]["clean"]
    mean = float(np.sqrt(costs.mean())) if figure == "rmse" else 0.0
    return result.clean / mean if mean else 1.0


def told(figure: str, mean_R: np.ndarray, scale: float) -> np.ndarray:
    """Figures of mean costs."""
    match figure:
        case "accuracy":
            return 1 - mean_R
        case "rmse":
            return np.sqrt(mean_R) * scale
        case _:
            return mean_R
