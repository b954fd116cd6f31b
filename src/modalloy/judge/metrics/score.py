"""True answers beside answered ones in, every figure of a task out; no torch here.

Rows whose truth is None are left out. A true class that training never saw counts as wrong. A
figure that is undefined on these rows (AUROC of one class alone) is left out rather than NaN.
"""

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

import numpy as np

from modalloy.job import config
from modalloy.judge.metrics.classes import ClassTally, LabelsTally
from modalloy.judge.metrics.detection import BoxTally, report_boxes
from modalloy.judge.metrics.quantities import NumberTally
from modalloy.judge.metrics.spans import TagTally, report_spans
from modalloy.judge.metrics.tally import Tally


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
    match options:
        case config.Classify():
            assert names is not None, "classify is scored with its class names"
            kind = ClassTally if options.labels == "single" else LabelsTally
            return kind(truth, answer["probability"], names)
        case config.Regress():
            quantiles, log = answer.get("quantiles"), options.scale == "log"
            return NumberTally(truth, answer["value"], quantiles, options.quantiles, log=log)
        case config.Tag():
            return TagTally(truth, answer["tags"])
        case config.Locate():
            return BoxTally(truth, answer)
        case _:
            assert_never(options)


def primary(options: config.TaskOptions) -> tuple[str, bool]:
    """The figure by which a task's training is judged, and whether greater is better."""
    match options:
        case config.Classify():
            plain = options.labels == "single" and options.class_weights == "none"
            return ("accuracy" if plain else "macro_f1"), True
        case config.Regress():
            return "rmse", False
        case config.Tag():
            return "span_f1", True
        case config.Locate():
            return "map50", True
        case _:
            assert_never(options)


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
    if not len(counted.rows):
        return ""
    match counted:
        case ClassTally():
            true, found = counted.true_N, counted.chosen_N
        case LabelsTally():
            true, found = counted.yes_NC, counted.chosen_NC
        case TagTally():
            return report_spans(counted)
        case BoxTally():
            return report_boxes(counted)
        case _:
            return ""
    # Two seconds of import that no answer and no validation needs.
    from sklearn import metrics as sklearn_metrics

    report = sklearn_metrics.classification_report(
        true,
        found,
        labels=np.arange(len(counted.names)),
        target_names=counted.names,
        digits=4,
        zero_division=0,
    )
    return str(report)  # it is one, as no dictionary was asked for
