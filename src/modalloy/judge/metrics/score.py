"""Every figure of a task from true and answered values.

Rows whose truth is None are left out. A true class that training never saw counts as wrong. A
figure that is undefined on these rows (AUROC of one class alone) is left out rather than NaN.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.job import config
from modalloy.judge.metrics.measure import Measure
from modalloy.judge.metrics.tally import Tally
from modalloy.tasks.kit import kit_of, part


def score(
    options: config.TaskOptions,
    truth: Sequence[Any],
    answer: Mapping[str, np.ndarray],
    names: Sequence[str] | None = None,
) -> dict[str, float]:
    """Every figure of a task; empty where no row's truth is known.

    truth: what the target reader's `truth` returns, as long as the answer. names: class names in
    the order of `probability`'s columns (classify only).
    """
    return tally(options, truth, answer, names).score()


def tally(
    options: config.TaskOptions,
    truth: Sequence[Any],
    answer: Mapping[str, np.ndarray],
    names: Sequence[str] | None = None,
) -> Tally:
    """What the figures and their intervals are counted from; see `bootstrap.intervals`."""
    return measure_of(options).tally(options, truth, answer, names)


def primary(options: config.TaskOptions) -> tuple[str, bool]:
    """The figure by which a task's training is judged, and whether greater is better."""
    return measure_of(options).primary(options)


def measure_of(options: config.TaskOptions) -> Measure:
    """How answers of a task are judged."""
    kind: type[Measure] = part(kit_of(options).measure)
    return kind()


def classification_report(
    options: config.TaskOptions,
    truth: Sequence[Any],
    answer: Mapping[str, np.ndarray],
    names: Sequence[str] | None = None,
) -> str:
    """Figures of each class as text in scikit-learn's layout; "" for regress or without known rows.

    classify: rows (or labels) a class. tag: exact spans a kind, as seqeval. locate: average
    precision a class.
    """
    counted = tally(options, truth, answer, names)
    return measure_of(options).by_class(counted) if len(counted.rows) else ""
