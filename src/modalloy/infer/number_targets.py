"""What a target column of numbers holds: codes of classes, shares, counts or amounts."""

from typing import Any

import numpy as np

from modalloy.checks.column_profile import Look, counted
from modalloy.checks.name_hints import names_a_class, words
from modalloy.errors import TableError
from modalloy.infer.guessed import InferredTask
from modalloy.readers.number import lean, spans_magnitudes, to_log

AMOUNTS = {
    "n", "num", "count", "counts", "number", "age", "hours", "days", "weeks", "months", "years",
    "cycles", "minutes", "seconds", "quantity", "qty", "amount", "price", "cost", "rul", "total",
}  # fmt: skip
SHARES = {"share", "fraction", "proportion", "probability", "prob", "anteil"}
PER_CENT = {"percent", "pct", "percentage", "prozent"}
MOST_CLASSES = 30  # whole numbers with more values are amounts,
MOST_CODES = 100  # unless their name says that they are codes
FEW_CLASSES = 12  # different whole numbers that are classes although most of them are rare,
OFTEN = 0.9  # where the others stand in this share of the rows
RARE = 5  # rows under which a class is rare
SKEWED = 0.5  # `lean` above which logarithms are learned,
STRAIGHT = 0.45  # where theirs is at most this share of it


def task_of_numbers(where: str, look: Look) -> InferredTask:
    """Classes or a number; TableError where no number is finite."""
    x = np.array([float(c) for c in look.filled])
    x = x[np.isfinite(x)]
    if not len(x):
        raise TableError(f"{where} holds no finite number.")
    numbers, counts = np.unique(x, return_counts=True)
    distinct = len(counts)
    whole = bool((x == np.round(x)).all())
    few = _repeats(look.name, counts)
    if distinct == 2 or (few and whole and not set(words(look.name)) & AMOUNTS):
        return _of_classes(look.name, numbers, counts)
    options: dict[str, Any] = {}
    told = f"{counted(distinct)} different numbers from {x.min():g} to {x.max():g}"
    if not few and (why := _skewed(x)):
        options["scale"] = "log"
        told += f", {why}"
    if look.rows == look.total:  # of a large table some cells were not looked at
        bounds, why = _bounds(look.name, x, whole=whole, log="scale" in options)
        options |= bounds
        told += why
    if whole and distinct <= MOST_CLASSES:
        told += "; codes of classes would be type: classify"
    return InferredTask("regress", options, told)


def _of_classes(name: str, numbers: np.ndarray, counts: np.ndarray) -> InferredTask:
    """Whole numbers that come again; beside those that may be grades, what else they could be."""
    distinct = len(numbers)
    shown = ", ".join(f"{v:g}" for v in numbers[:4]) + (", ..." if distinct > 4 else "")
    rare = int((counts < RARE).sum())
    told = f"; {rare} of them in fewer than {RARE} rows" if rare else ""
    in_a_row = distinct > 2 and np.ptp(numbers) == distinct - 1 and numbers[0] in (0, 1)
    if in_a_row and not names_a_class(name):
        told += "; grades or counts? type: regress errs by fewer steps, but hits fewer exactly"
    return InferredTask("classify", {}, f"{distinct} different whole numbers: {shown}{told}")


def _skewed(x: np.ndarray) -> str:
    """Why logarithms are the better scale of a target, empty where they are not.

    What is learned of numbers with a long upper end is mostly their few largest. Logarithms err
    less in the middle (dev/LOG.md: a tenth to a third less mean absolute error, about the same
    square error), unless they have a long lower end in turn.
    """
    before, after = lean(x), round(lean(to_log(x)), 2) + 0.0  # never -0.00
    if x.min() >= 0 and before >= SKEWED and abs(after) <= STRAIGHT * before:
        return f"skewed ({before:.2f}, logarithms {after:.2f}): answers are near the median"
    return "over several magnitudes" if spans_magnitudes(x) else ""


def _bounds(name: str, x: np.ndarray, *, whole: bool, log: bool) -> tuple[dict[str, Any], str]:
    """What no answer can lie beyond, and why: shares, per cent, and what is never below 0."""
    said = set(words(name))
    if x.min() < 0:
        return {}, ""
    if x.max() <= 1 and not whole and (said & SHARES or (x.min() == 0 and x.max() == 1)):
        return {"lowest": 0, "highest": 1}, "; shares from 0 to 1, as all answers are"
    if x.max() <= 100 and x.max() > 1 and (said & PER_CENT or "%" in name):
        return {"unit": "%", "lowest": 0, "highest": 100}, "; per cent, answers from 0 to 100"
    if whole or log or said & AMOUNTS:
        return {"lowest": 0}, "; none below 0, nor any answer"
    return {}, ""


def _repeats(name: str, counts: np.ndarray) -> bool:
    """Whether so few different numbers may be codes of classes, some of which may be rare.

    counts: rows of each number.
    """
    rows, distinct = int(counts.sum()), len(counts)
    if names_a_class(name):
        return distinct <= min(MOST_CODES, rows / 4)
    often = counts[counts >= RARE].sum() >= OFTEN * rows
    usual = np.quantile(counts, 0.25) >= RARE or (often and distinct <= FEW_CLASSES)
    return bool(usual and distinct <= min(MOST_CLASSES, rows / 10))
