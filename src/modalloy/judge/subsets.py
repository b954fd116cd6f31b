"""What each column and each set of columns is worth."""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from modalloy.job import config
from modalloy.judge.metrics.bootstrap import intervals, paired_intervals
from modalloy.judge.metrics.score import primary, tally
from modalloy.judge.metrics.tally import Tally

ALL_UP_TO = 5  # 31 subsets; beyond it singles, leave-one-out and all

Answers = Mapping[str, Mapping[str, np.ndarray]]  # task -> its answer, see answer/decoding
Figures = dict[str, Any]


class Subsets(NamedTuple):
    """task -> "photo + note" or "photo (own head)" -> figures; task -> the gain over a single."""

    table: dict[str, dict[str, Figures]]
    gain: dict[str, Figures]


def shown_subsets(inputs: Sequence[str], always: Collection[str] = ()) -> list[tuple[str, ...]]:
    """Sets of inputs worth scoring, small ones first, all inputs last.

    always: inputs that are never hidden, because a task marks words or boxes on them.
    """
    sizes = range(1, len(inputs) + 1)
    if len(inputs) > ALL_UP_TO:
        sizes = sorted({1, len(inputs) - 1, len(inputs)})
    every = [some for size in sizes for some in combinations(inputs, size)]
    return [some for some in every if set(always) <= set(some)]


def hidden_in(subset: Sequence[str], inputs: Sequence[str]) -> frozenset[str]:
    """The inputs that are hidden when only `subset` is seen."""
    return frozenset(inputs) - frozenset(subset)


def score_subsets(
    tasks: Mapping[str, config.TaskOptions],
    inputs: Sequence[str],
    answers_of: Callable[[frozenset[str]], Answers],
    truth: Mapping[str, Sequence[Any]],
    names: Mapping[str, Sequence[str] | None],
    *,
    always: Collection[str] = (),
    alone: Mapping[str, Answers] | None = None,
    groups: Sequence[Any] | None = None,
    resamples: int = 200,
    seed: int = 0,
) -> Subsets:
    """Figures of every shown subset with intervals, and whether fusing pays.

    answers_of(hidden) -> answers of all tasks with these inputs hidden; called once a subset.
    always: inputs that are never hidden. alone: input -> answers of that input's own heads, trained
    beside the model. groups: one label a row; whole groups are drawn for the intervals. Tasks whose
    truth is unknown on all rows are left out. The best single column is the stronger of the model
    that sees it alone and of its own head, picked by its figure on the very rows that are scored,
    which favours it: a gain over it is not flattered.
    """
    table: dict[str, dict[str, Figures]] = {task: {} for task in tasks}
    tallies: dict[str, dict[str, Tally]] = {task: {} for task in tasks}

    def enter(task: str, name: str, subset: Sequence[str], answer: Mapping[str, Any]) -> None:
        counted = tally(tasks[task], truth[task], answer, names.get(task))
        figures: Figures = dict(counted.score())
        if figures:
            ends = intervals(counted, groups=groups, resamples=resamples, seed=seed)
            figures["interval"] = {k: list(v) for k, v in ends.items()}
            figures["columns"] = list(subset)
            table[task][name], tallies[task][name] = figures, counted

    for name, answers in (alone or {}).items():
        for task in answers:
            enter(task, f"{name} (own head)", (name,), answers[task])
    for subset in shown_subsets(inputs, always):
        answers = answers_of(hidden_in(subset, inputs))
        for task in tasks:
            enter(task, " + ".join(subset), subset, answers[task])
    gain = {
        task: gain_of(options, inputs, table[task], tallies[task], groups, resamples, seed)
        for task, options in tasks.items()
        if len(inputs) > 1 and any(len(f["columns"]) == 1 for f in table[task].values())
    }
    return Subsets({t: s for t, s in table.items() if s}, gain)


def gain_of(
    options: config.TaskOptions,
    inputs: Sequence[str],
    table: Mapping[str, Figures],
    tallies: Mapping[str, Tally],
    groups: Sequence[Any] | None,
    resamples: int,
    seed: int,
) -> Figures:
    """What all inputs together add to the best of them in the main figure; positive is better."""
    metric, greater = primary(options)
    sign = 1.0 if greater else -1.0

    def value(name: str) -> float:
        return sign * table[name][metric] if metric in table[name] else -np.inf

    whole = " + ".join(inputs)
    best = max((n for n, f in table.items() if len(f["columns"]) == 1), key=value)
    ends = paired_intervals(
        tallies[whole], tallies[best], groups=groups, resamples=resamples, seed=seed
    )
    found: Figures = {
        "metric": metric,
        "fused": table[whole].get(metric),
        "best": best,
        "best_value": table[best].get(metric),
    }
    if metric in table[whole] and metric in table[best]:
        found["gain"] = sign * (table[whole][metric] - table[best][metric])
    if metric in ends:
        found["interval"] = sorted(sign * v for v in ends[metric])
    return found
