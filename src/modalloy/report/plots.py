"""True and answered values of one task in, the figures of its page section out."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, assert_never

import numpy as np
from sklearn.metrics import precision_recall_curve

from modalloy.cells.cells import Cells, empty
from modalloy.job import config
from modalloy.judge.baselines.baseline_models import as_words
from modalloy.judge.metrics.classes import ClassTally, LabelsTally
from modalloy.judge.metrics.score import primary, tally
from modalloy.judge.metrics.spans import spans_of
from modalloy.judge.wording import brief, figures_of, label
from modalloy.readers.number import from_log
from modalloy.report import charts
from modalloy.report.boxes import SHOWN_SCORE, box_mistakes, found_boxes, true_boxes
from modalloy.report.html import Markup, join, table, tag
from modalloy.report.show import show_boxes, show_tags

MATRIX_CLASSES = 30
CURVES = 6
POINTS = 3000
SENTENCES = 10
PICTURES = 6


class Figure(NamedTuple):
    """One picture or piece of HTML for the page: data is bytes of PNG or SVG, or Markup."""

    title: str
    kind: Literal["chart", "html"]
    data: bytes | str
    note: str = ""
    task: str = ""
    place: Literal["task", "worst", "training"] = "task"


def figures_for(
    task: str,
    options: config.TaskOptions,
    truth: Sequence[Any],
    answer: Mapping[str, np.ndarray],
    names: Sequence[str] | None = None,
    *,
    cells: Cells | None = None,
) -> list[Figure]:
    """Every figure of a task; none where no row's truth is known.

    cells: the same rows' cells of the column that a `tag` or `locate` task looks `on`; sentences
    and boxes are not drawn without it.
    """
    if not len(tally(options, truth, answer, names).rows):
        return []
    match options:
        case config.Classify():
            found = figures_of_classes(options, truth, answer, names or ())
        case config.Regress():
            found = figures_of_numbers(options, truth, answer)
        case config.Tag():
            found = figures_of_tags(truth, answer, None if cells is None else cells[options.on])
        case config.Locate():
            found = figures_of_boxes(truth, answer, cells, options.on)
        case _:
            assert_never(options)
    return [f._replace(task=task) for f in found]


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


def figures_of_numbers(
    options: config.Regress, truth: Sequence[Any], answer: Mapping[str, np.ndarray]
) -> list[Figure]:
    """Answers over the truth, and the errors, both in the target's own unit."""
    unit, log = options.unit or "", options.scale == "log"
    true = np.array([np.nan if t is None else float(t) for t in truth])
    value = np.asarray(answer["value"], dtype=float)
    if log:
        true, value = from_log(true), from_log(value)
    rows = np.flatnonzero(np.isfinite(true) & np.isfinite(value))
    if not len(rows):
        return []
    drawn = rows[thin(len(rows), POINTS)]
    note = f"{len(drawn)} of {len(rows)} rows are drawn." if len(drawn) < len(rows) else ""
    wrong = (value - true)[rows]
    far = f"{brief(float(np.quantile(np.abs(wrong), 0.9)))} {unit}".rstrip()
    tenth = f"Nine of ten answers are at most {far} off."
    if log:  # amounts over several magnitudes: a few errors would squeeze all others into one bar
        low, high = np.quantile(wrong, [0.01, 0.99])
        wrong = wrong[(wrong >= low) & (wrong <= high)]
        tenth += " The hundredth farthest off on either side is not drawn."
    scatter = charts.true_against_answer(true[drawn], value[drawn], unit, log=log)
    return [
        Figure("Answer against truth", "chart", scatter, note),
        Figure("Errors", "chart", charts.errors(wrong, unit), tenth),
    ]


def figures_of_tags(
    truth: Sequence[Any], answer: Mapping[str, np.ndarray], words: Sequence[Any] | None
) -> list[Figure]:
    """Sentences with their spans, wrong ones first, then some that are right."""
    if words is None:
        return []
    said = [as_words(cell) for cell in words]
    known = [i for i, t in enumerate(truth) if t is not None and said[i]]
    wrong = [i for i in known if set(spans_of(truth[i])) != set(spans_of(answer["tags"][i]))]
    bad = set(wrong)
    right = [i for i in known if i not in bad and spans_of(truth[i])]
    some = wrong[: SENTENCES - 3]
    some += right[: SENTENCES - len(some)]
    data = join(show_tags(said[i], truth[i], answer["tags"][i]) for i in some)
    note = (
        f"{len(wrong)} of {len(known)} sentences have a mistake. ✓ right, ✗ found but wrong, "
        "dashed: missed; words of a missed span that overlaps a wrong one stand twice."
    )
    return [Figure("Tagged sentences", "html", data, note)]


def figures_of_boxes(
    truth: Sequence[Any], answer: Mapping[str, np.ndarray], cells: Cells | None, column: str
) -> list[Figure]:
    """Pictures with true and found boxes, evenly chosen from the most mistaken to the best."""
    if cells is None:
        return []
    judged = [i for i, t in enumerate(truth) if t is not None]
    known = [i for i in judged if not empty(cells[column][i])]
    mistaken = {i: box_mistakes(truth[i], answer, i) for i in known}
    order = sorted(known, key=lambda i: (-mistaken[i], i))
    some = [order[i] for i in thin(len(order), PICTURES)]
    data = join(
        show_boxes(cells[column][i], cells, true_boxes(truth[i]), found_boxes(answer, i))
        for i in some
    )
    wrong = sum(m > 0 for m in mistaken.values())
    note = (
        f"Solid blue: truth. Dashed red: found with a score of at least {SHOWN_SCORE}. "
        f"{wrong} of {len(known)} pictures have a mistake; {len(some)} are shown, "
        "evenly chosen from the most mistaken to the best."
    )
    if len(known) < len(judged):
        note += f" {len(judged) - len(known)} rows have no picture."
    return [Figure("Boxes on pictures", "html", tag("div", data, kind="pictures"), note)]


def training_figures(
    curves: Sequence[Mapping[str, Any]], tasks: Mapping[str, config.TaskOptions] | None = None
) -> list[Figure]:
    """Losses, the score that early stopping looks at, and each task's main validation figure, over
    epochs; the best one by that score is marked in each.

    curves: records of `log.jsonl`: epoch, losses, `score`, `validation` {task: {metric: value}}.
    """
    epochs = [r.get("epoch", i + 1) for i, r in enumerate(curves)]
    names = list(dict.fromkeys(k for r in curves for k in r if "loss" in k))
    found = []
    if names:
        lines = {n.replace("_", " "): [r.get(n) for r in curves] for n in names}
        found.append(("Loss while training", "loss", lines, ""))
    scores = [r.get("score") for r in curves]
    known = [(s, e) for s, e in zip(scores, epochs, strict=True) if s is not None]
    best = max(known, key=lambda pair: pair[0])[1] if known else None  # of equals the first
    if best is not None:
        lines = {"all tasks": scores}
        note = f"What early stopping looks at: the tasks' mean skill. Epoch {best} is the best."
        found.append(("Score on validation rows", "score; 1 is perfect", lines, note))
    validation = [r.get("validation") or {} for r in curves]
    for task in dict.fromkeys(t for v in validation for t in v):
        given = figures_of({k: x for v in validation for k, x in v.get(task, {}).items()})
        main = primary(tasks[task])[0] if tasks and task in tasks else ""
        for name in [main] if main in given else given[:1]:
            values = [v.get(task, {}).get(name) for v in validation]
            says = f"{label(name)}, validation rows"
            found.append((f"{task}: {label(name)}", says, {task: values}, ""))
    return [
        Figure(title, "chart", charts.training(epochs, lines, says, best), note, place="training")
        for title, says, lines, note in found
    ]


def thin(rows: int, most: int = 600) -> np.ndarray:
    """Evenly spaced positions, at most so many, both ends kept."""
    return np.unique(np.linspace(0, rows - 1, min(rows, most)).round().astype(int))


def as_markup(figure: Figure) -> Markup:
    """A figure's HTML data; only `figures_for` and its like make it, from escaped parts."""
    assert figure.kind == "html"
    return Markup(figure.data)
