"""Classes and labels on the page: confusions, precision over recall, how sure it was."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import precision_recall_curve

from modalloy.cells.cells import Cells
from modalloy.job import config
from modalloy.judge.metrics.classes import ClassTally, LabelsTally
from modalloy.judge.metrics.score import tally
from modalloy.report import charts
from modalloy.report.drawing.drawing import Drawing
from modalloy.report.figure import Figure, thin
from modalloy.report.html import table

MATRIX_CLASSES = 30
CURVES = 6


class ClassDrawing(Drawing):
    """Drawings for `classify`."""

    def figures(
        self,
        options: config.Classify,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
        cells: Cells | None,
    ) -> list[Figure]:
        """Confusions, precision over recall, certainty against truth."""
        del cells
        return figures_of_classes(options, truth, answer, names or ())

    def losses(
        self,
        options: config.Classify,
        truth: Sequence[Any],
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
    ) -> np.ndarray:
        """Minus the log of the true class's probability, summed over labels."""
        counted = tally(options, truth, answer, names)
        loss_B = np.zeros(len(truth))
        match counted:
            case ClassTally():
                p_N = counted.p_NC[np.arange(len(counted.rows)), counted.true_N]
                wrong_N = counted.chosen_N != counted.true_N
                loss_B[counted.rows] = np.where(wrong_N, -np.log(p_N.clip(1e-7)), 0.0)
            case LabelsTally():
                p_NC = np.where(counted.yes_NC, counted.p_NC, 1 - counted.p_NC)
                wrong_N = (counted.chosen_NC != counted.yes_NC).any(1)
                loss_B[counted.rows] = np.where(wrong_N, -np.log(p_NC.clip(1e-7)).sum(1), 0.0)
        return loss_B

    def say(
        self,
        options: config.Classify,
        truth: Any,
        answer: Mapping[str, np.ndarray],
        names: Sequence[str] | None,
        row: int,
    ) -> tuple[str, str]:
        """Names, and how sure the answer is."""
        p_C = answer["probability"][row]
        if options.several:
            chosen = [n for n, p in zip(names or (), p_C, strict=True) if p >= 0.5]
            return ", ".join(map(str, truth)) or "no label", ", ".join(chosen) or "no label"
        best = int(np.argmax(p_C))
        return str(truth), f"{(names or ())[best]} ({100 * p_C[best]:.0f} % sure)"


def figures_of_classes(
    options: config.Classify,
    truth: Sequence[Any],
    answer: Mapping[str, np.ndarray],
    names: Sequence[str],
) -> list[Figure]:
    """Confusions, precision over recall, certainty against truth."""
    counted = tally(options, truth, answer, names)
    match counted:
        case ClassTally():
            yes_NC = counted.true_N[:, None] == np.arange(len(counted.names))
            sure, right = counted.p_NC.max(1), counted.chosen_N == counted.true_N
            found = [confusions(counted.true_N, counted.chosen_N, counted.names)]
            rarer = counted.rarer
        case LabelsTally():
            yes_NC = counted.yes_NC
            sure = np.maximum(counted.p_NC, 1 - counted.p_NC).ravel()
            right = (counted.chosen_NC == counted.yes_NC).ravel()
            found, rarer = [], None
        case _:
            raise AssertionError(f"no classes in {type(counted).__name__}")
    found += recalls(yes_NC, counted.p_NC, counted.names, rarer)
    chart = charts.reliability(sure, right.astype(float))
    note = "On the dotted line, answers stated with 80 % certainty are right 80 % of the time."
    return [*found, Figure("Can its certainty be believed?", "chart", chart, note)]


def confusions(true_N: np.ndarray, chosen_N: np.ndarray, names: Sequence[str]) -> Figure:
    """Which class is taken for which: a matrix, or the commonest mix-ups of many classes."""
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, (true_N, chosen_N), 1)
    if len(names) <= MATRIX_CLASSES:
        note = "Numbers are test rows; the shade is the share of the true class."
        return Figure("Confusion matrix", "chart", charts.matrix(counts, names), note)
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:15]
    pairs = [(int(i) // len(names), int(i) % len(names)) for i in order if wrong.flat[i]]
    rows = [
        (names[i], names[j], counts[i, j], f"{100 * counts[i, j] / counts[i].sum():.0f} %")
        for i, j in pairs
    ]
    data = table(("truth", "answered as", "rows", "of this class"), rows, numbers=2)
    note = f"{len(names)} classes are too many for a matrix; these are the commonest mix-ups."
    return Figure("Most frequent confusions", "html", data, note)


def recalls(
    yes_NC: np.ndarray, p_NC: np.ndarray, names: Sequence[str], rarer: int | None
) -> list[Figure]:
    """Precision over recall: of the rarer class of two, else of the commonest classes."""
    counts = yes_NC.sum(0)
    some = np.argsort(-counts, kind="stable")[:CURVES].tolist() if rarer is None else [rarer]
    some = [c for c in some if 0 < counts[c] < len(yes_NC)]
    if not some:
        return []
    curves = []
    for c in some:
        precision, recall, _ = precision_recall_curve(yes_NC[:, c], p_NC[:, c])
        keep = thin(len(recall))
        curves.append((names[c], precision[::-1][keep], recall[::-1][keep]))
    base = float(counts[some[0]] / len(yes_NC)) if len(some) == 1 else float("nan")
    more = f"The {len(some)} commonest of {len(names)} classes." if len(names) > len(some) else ""
    note = more if rarer is None else f"Of '{names[rarer]}', the rarer of the two classes."
    chart = charts.precision_recall(curves, base)
    return [Figure("Precision over recall", "chart", chart, note)]
