"""Figures of classification: one class a row, or any number of labels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modalloy.job import config
from modalloy.judge.metrics.measure import Measure
from modalloy.judge.metrics.ranking import mean_defined, rank_classes, rank_figures
from modalloy.judge.metrics.tally import Tally, group_sums, ratio

SMALLEST = 1e-7  # the resolution of float32 probabilities; what a certain and wrong answer costs
BINS = 15


class ClassTally(Tally):
    """One true class a row.

    truth: class names, None where unknown. A class that training never saw gets probability 0, so a
    row of it counts as wrong everywhere. probability_BC: columns in the order of `names`.

    rarer: of two classes the number of the one that `rarer_of_two` names.
    """

    def __init__(
        self, truth: Sequence[Any], probability_BC: np.ndarray, names: Sequence[Any]
    ) -> None:
        self.rows = known_rows(truth)
        true = [str(truth[i]) for i in self.rows]
        known = [str(n) for n in names]
        self.names = known + sorted(set(true) - set(known))
        index = {name: c for c, name in enumerate(self.names)}
        rarer = rarer_of_two(truth, names)
        self.rarer = None if rarer is None else index[rarer]
        self.true_N = np.array([index[t] for t in true], dtype=np.int64)
        p = np.asarray(probability_BC, dtype=np.float64)[self.rows]
        self.p_NC = np.pad(p, ((0, 0), (0, len(self.names) - len(known))))
        self.chosen_N = self.p_NC.argmax(1) if len(p) else self.true_N

    def figures(self, weight_NR: np.ndarray) -> dict[str, np.ndarray]:
        """accuracy, macro_f1, auroc, average_precision, log_loss, ece.

        macro_f1 is the mean over classes that are true or answered somewhere. auroc and
        average_precision are those of the rarer class when there are two (auroc is the same for
        both), else of each class against the rest, averaged over the classes present.
        log_loss clips at 1e-7. ece: 15 bins of equal width over the probability of the answer (Guo
        et al. 2017, arXiv 1706.04599), comparable with published figures.
        """
        total_R = weight_NR.sum(0)
        right_N = (self.chosen_N == self.true_N).astype(np.float64)
        p_true_N = self.p_NC[np.arange(len(self.rows)), self.true_N]
        auroc_R, precision_R = self._rank(weight_NR)
        return {
            "accuracy": right_N @ weight_NR / total_R,
            "macro_f1": self._macro_f1(weight_NR),
            "auroc": auroc_R,
            "average_precision": precision_R,
            "log_loss": -np.log(p_true_N.clip(SMALLEST)) @ weight_NR / total_R,
            "ece": calibration_error(self.p_NC.max(1), right_N, weight_NR),
        }

    def _macro_f1(self, weight_NR: np.ndarray) -> np.ndarray:
        classes = len(self.names)
        right = (self.chosen_N == self.true_N).astype(np.float64)
        hit_CR: np.ndarray = group_sums(self.true_N, classes, right) @ weight_NR
        true_CR = group_sums(self.true_N, classes) @ weight_NR
        chosen_CR = group_sums(self.chosen_N, classes) @ weight_NR
        return mean_defined(ratio(2 * hit_CR, true_CR + chosen_CR))

    def _rank(self, weight_NR: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.rarer is not None:
            return rank_figures(self.p_NC[:, self.rarer], self.true_N == self.rarer, weight_NR)
        yes_NC = self.true_N[:, None] == np.arange(len(self.names))
        return rank_classes(self.p_NC, yes_NC, weight_NR)


class LabelsTally(Tally):
    """Any number of true labels a row: truth holds lists of names, None where unknown."""

    def __init__(
        self, truth: Sequence[Any], probability_BC: np.ndarray, names: Sequence[Any]
    ) -> None:
        self.rows = known_rows(truth)
        true = [{str(label) for label in truth[i]} for i in self.rows]
        known = [str(n) for n in names]
        self.names = known + sorted(set().union(*true) - set(known))
        self.yes_NC = np.array([[n in t for n in self.names] for t in true], dtype=bool)
        self.yes_NC = self.yes_NC.reshape(len(true), len(self.names))
        p = np.asarray(probability_BC, dtype=np.float64)[self.rows]
        self.p_NC = np.pad(p, ((0, 0), (0, len(self.names) - len(known))))
        self.chosen_NC = self.p_NC >= 0.5

    def figures(self, weight_NR: np.ndarray) -> dict[str, np.ndarray]:
        """accuracy (all labels of a row right), macro_f1, auroc, average_precision, log_loss, ece.

        A label is answered at probability 0.5. log_loss is the mean over labels; ece is over all
        labels of all rows, the certainty of an answer being max(p, 1 - p).
        """
        total_R = weight_NR.sum(0)
        right_NC = self.chosen_NC == self.yes_NC
        auroc_R, precision_R = rank_classes(self.p_NC, self.yes_NC, weight_NR)
        p_true_NC = np.where(self.yes_NC, self.p_NC, 1.0 - self.p_NC).clip(SMALLEST)
        sure_NC = np.maximum(self.p_NC, 1.0 - self.p_NC)
        hit_CR, true_CR, chosen_CR = (
            a.T.astype(np.float64) @ weight_NR
            for a in (self.chosen_NC & self.yes_NC, self.yes_NC, self.chosen_NC)
        )
        return {
            "accuracy": right_NC.all(1) @ weight_NR / total_R,
            "macro_f1": mean_defined(ratio(2 * hit_CR, true_CR + chosen_CR)),
            "auroc": auroc_R,
            "average_precision": precision_R,
            "log_loss": -np.log(p_true_NC).mean(1) @ weight_NR / total_R,
            "ece": calibration_error(sure_NC, right_NC.astype(np.float64), weight_NR),
        }


class ClassMeasure(Measure):
    """Figures of classes and labels."""

    def tally(
        self,
        options: config.Classify,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
    ) -> ClassTally | LabelsTally:
        """Of one class a row, or of its labels."""
        assert names is not None, "classify is scored with its class names"
        kind = LabelsTally if options.several else ClassTally
        return kind(truth, answer["probability"], names)

    def primary(self, options: config.Classify) -> tuple[str, bool]:
        """Accuracy, or macro F1 where classes are to count alike or a row has several."""
        plain = not options.several and options.class_weights == "none"
        return ("accuracy" if plain else "macro_f1"), True

    def skill(self, options: config.Classify, classes: int) -> list[str]:
        """Accuracy alone says nothing where one class is rare."""
        if options.several:
            return ["average_precision"]
        return ["accuracy", "auroc" if classes == 2 else "macro_f1"]

    def by_class(self, counted: ClassTally | LabelsTally) -> str:
        """Rows (or labels) of each class."""
        # Two seconds of import that no answer and no validation needs.
        from sklearn import metrics as sklearn_metrics

        labels = isinstance(counted, LabelsTally)
        report = sklearn_metrics.classification_report(
            counted.yes_NC if labels else counted.true_N,
            counted.chosen_NC if labels else counted.chosen_N,
            labels=np.arange(len(counted.names)),
            target_names=counted.names,
            digits=4,
            zero_division=0,
        )
        return str(report)  # it is one, as no dictionary was asked for

    def about(
        self, options: config.Classify, truth: Sequence[Any], names: Sequence[str]
    ) -> dict[str, Any]:
        """The rarer of two classes, and how many rows have each."""
        rarer = None if options.several else rarer_of_two(truth, names)
        return {"rarer": rarer, "classes": count_classes(truth, names)}


def count_classes(truth: Sequence[Any], names: Sequence[str]) -> dict[str, int]:
    """How many rows have each class: those of `names` first, then those that training never saw."""
    counts = dict.fromkeys(map(str, names), 0)
    for true in truth:
        for name in () if true is None else (true,) if isinstance(true, str) else true:
            counts[str(name)] = counts.get(str(name), 0) + 1
    return counts


def calibration_error(sure: np.ndarray, right: np.ndarray, weight_NR: np.ndarray) -> np.ndarray:
    """Mean gap between certainty and share of right answers, over 15 bins of certainty, (R,).

    sure, right: (N,) or (N, C).
    """
    bins = np.minimum((sure * BINS).astype(np.int64), BINS - 1).reshape(len(sure), -1)
    gap = (sure - right).reshape(len(sure), -1)
    gap_NB = np.stack([np.where(bins == b, gap, 0.0).sum(1) for b in range(BINS)], 1)
    return np.abs(gap_NB.T @ weight_NR).sum(0) / (weight_NR.sum(0) * bins.shape[1])


def rarer_of_two(truth: Sequence[Any], names: Sequence[Any]) -> str | None:
    """Of two classes the one that fewer rows have, of equals the second; None of any other number.

    A class is in `names`, or is a row's truth.
    """
    counts = Counter({str(n): 0 for n in names})
    counts.update(str(t) for t in truth if t is not None)
    if len(counts) != 2:
        return None
    first, second = counts
    return first if counts[first] < counts[second] else second


def known_rows(truth: Sequence[Any]) -> np.ndarray:
    """Positions of the rows whose truth is not None."""
    return np.array([i for i, t in enumerate(truth) if t is not None], dtype=np.int64)
