"""Whether one column gives a target away: a copy, a formula, a name that decides it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import combinations
from typing import Any, Literal

import numpy as np

from modalloy.cells.cells import empty
from modalloy.cells.moments import Form, date_form, to_moment
from modalloy.cells.numbers import to_number
from modalloy.cells.values import spelled
from modalloy.checks.column_profile import all_numbers, all_texts, counted, parse_list
from modalloy.table.table import Table

ENOUGH = 20  # rows that a rule must hold on before it is believed
SAID_SHARE = 0.95  # texts that hold the class's name, above which they say the answer


@dataclass(frozen=True)
class KnownTarget:
    """A target's cells as numbers that columns are compared with.

    known: (N,) bool. codes: (N,) int64 number of each class, -1 where unknown; empty for other
    tasks but texts, of which each is one. amounts: numbers (N,) that describe the target: itself,
    or counts of its boxes or tags.
    names: class names by code.
    """

    name: str
    type: Literal["classify", "regress", "tag", "locate", "generate"]
    known: np.ndarray
    codes: np.ndarray
    amounts: tuple[np.ndarray, ...]
    names: Sequence[str] = ()

    def at(self, rows: np.ndarray) -> "KnownTarget":
        """The answer at some rows only."""
        codes = self.codes[rows] if len(self.codes) else self.codes
        amounts = tuple(a[rows] for a in self.amounts)
        return replace(self, known=self.known[rows], codes=codes, amounts=amounts)


def gives_away(cells: Sequence[Any], answer: KnownTarget, *, media: bool = False) -> str | None:
    """Why a column tells this target, in words, or None.

    cells: the column's values at the target's rows. media: paths are only compared by where they
    are empty. Only what holds without an exception counts; weaker hints are left to `check`.
    """
    filled = np.array([not empty(c) for c in cells])
    if _same_gaps(filled, answer.known):
        gaps = counted(int((~filled).sum()))
        return f"empty in the same {gaps} rows as '{answer.name}', so known only with it"
    if media or answer.known.sum() < ENOUGH:
        return None
    rows = np.flatnonzero(answer.known)
    shown = [c for c, known in zip(cells, answer.known, strict=True) if known]
    known = answer.at(rows)
    if answer.type == "generate":  # a text may well hold its own summary
        same = [spelled(c) == known.names[k] for c, k in zip(shown, known.codes, strict=True)]
        return f"gives '{answer.name}' away: the same texts" if all(same) else None
    if lists := _lists(shown):
        return next(filter(None, (_by_amount(x, known) for x in _of_lists(lists))), None)
    if not all(c is None or isinstance(c, str) for c in shown):
        if reason := _by_amount(_numbers(shown), known):
            return reason
    elif reason := _says(shown, known):
        return reason
    return _by_value(_codes(shown), known, (~filled[rows]).astype(np.int64))


def time_between(
    table: Table, times: Sequence[str], answers: Sequence[KnownTarget]
) -> dict[str, str]:
    """Of two times whose distance gives a target away, the later one and why: delivered - due."""
    days = {c: all_days(table.cells(c)) for c in times}
    found = {}
    for first, second in combinations(times, 2):
        distance = days[second] - days[first]
        later = second if np.nanmedian(distance) >= 0 else first
        other = first if later == second else second
        for answer in answers:
            known = np.flatnonzero(answer.known)
            if _by_amount(distance[known], answer.at(known)):
                found[later] = f"gives '{answer.name}' away together with '{other}'"
    return found


def _same_gaps(filled: np.ndarray, known: np.ndarray) -> bool:
    """Whether a column is empty in just those rows where the target is."""
    enough = min((~known).sum(), known.sum()) >= ENOUGH
    return bool(enough) and np.array_equal(filled, known)


def _by_amount(x: np.ndarray, answer: KnownTarget) -> str | None:
    """A number that is the target, rises with it without an exception, or bounds its classes."""
    finite = np.isfinite(x)
    if finite.sum() < ENOUGH:
        return None
    for amounts in answer.amounts:
        both = finite & np.isfinite(amounts)
        a, y = x[both], amounts[both]
        if len(y) < ENOUGH or len(np.unique(y)) < 2:
            continue
        if np.array_equal(a, y):
            return f"gives '{answer.name}' away: the same numbers"
        for sign, verb in ((1, "rises"), (-1, "falls")):
            if _together(sign * a, y):
                return f"gives '{answer.name}' away: {verb} with it without an exception"
    classes = answer.codes[finite] if len(answer.codes) and finite.mean() >= 0.95 else None
    if classes is not None and len(np.unique(x[finite])) > 2 and _are_ranges(x[finite], classes):
        return f"gives '{answer.name}' away: each class is a range of it"
    return None


def _by_value(x: np.ndarray, answer: KnownTarget, gaps: np.ndarray | None = None) -> str | None:
    """A value that settles the target, or that the target settles, if only by being empty.

    x, gaps: number of each row's value, and 1 where it is empty, (N,) int64.
    """
    if answer.type == "classify":
        if _settled(x, answer.codes):
            values = counted(len(np.unique(x)))
            return f"gives '{answer.name}' away: each of its {values} values goes with one class"
        if _made_from(answer.codes, x):
            return f"made from '{answer.name}': each class has one value of it"
        if gaps is not None and _made_from(answer.codes, gaps):
            return f"empty for some classes of '{answer.name}' and never for the others"
    elif answer.type == "regress":
        y = answer.amounts[0]
        if len(np.unique(y)) >= ENOUGH and _settled(x, _codes(y.tolist())):
            return f"gives '{answer.name}' away: each of its values goes with one number"
        if 1 < len(np.unique(x)) <= ENOUGH and _are_ranges(y, x):
            return f"made from '{answer.name}': each of its values is a range of it"
    return None


def _together(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether no pair of rows has x rising and y falling, with enough different values of both."""
    if min(len(np.unique(x)), len(np.unique(y))) < ENOUGH:
        return False
    order = np.lexsort((y, x))
    return bool((np.diff(y[order]) >= 0).all())


def _are_ranges(x: np.ndarray, codes: np.ndarray) -> bool:
    """Whether the classes are ranges of x that do not overlap, each with some rows."""
    counts = np.bincount(codes)
    counts = counts[counts > 0]
    if len(counts) < 2 or counts.min() < ENOUGH / 2:
        return False
    order = np.lexsort((codes, x))
    changes = np.diff(codes[order]) != 0
    torn = changes & (np.diff(x[order]) == 0)
    return not torn.any() and changes.sum() == len(counts) - 1


def _settled(x: np.ndarray, codes: np.ndarray) -> bool:
    """Whether each repeated value of x goes with one class, too often to be chance."""
    repeated = np.bincount(x)[x] > 1
    unusual = repeated & (codes != np.bincount(codes).argmax())
    if len(np.unique(x)) < 2 or unusual.sum() < ENOUGH or repeated.mean() < 0.5:
        return False
    return _settles(x[repeated], codes[repeated])


def _made_from(codes: np.ndarray, x: np.ndarray) -> bool:
    """Whether each class goes with one value of x, in classes of some size."""
    unusual = x != np.bincount(x).argmax()
    if len(np.unique(codes)) < 2 or unusual.sum() < ENOUGH:
        return False
    return bool(np.bincount(codes)[codes[unusual]].min() >= 5) and _settles(codes, x)


def _settles(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether rows with the same x always have the same y."""
    pairs = x * (int(y.max()) + 1) + y
    return len(np.unique(pairs)) == len(np.unique(x))


def _says(shown: list[Any], answer: KnownTarget) -> str | None:
    """Texts that hold the name of their class, where there are many classes."""
    if len(answer.names) < 5 or min(len(str(n)) for n in answer.names) < 3:
        return None
    pairs = [
        (str(answer.names[code]).lower(), cell.lower())
        for cell, code in zip(shown, answer.codes, strict=True)
        if isinstance(cell, str)
    ]
    said = sum(name in cell for name, cell in pairs)
    if len(pairs) < ENOUGH or said < SAID_SHARE * len(pairs):
        return None
    return f"gives '{answer.name}' away: {said / len(pairs):.0%} of its texts hold the class's name"


def _codes(cells: Sequence[Any]) -> np.ndarray:
    """A number for each different value; empty cells share one."""
    index: dict[Any, int] = {}
    keys = [None if empty(c) else c for c in cells]
    return np.array([index.setdefault(k, len(index)) for k in keys], dtype=np.int64)


def _numbers(cells: Sequence[Any]) -> np.ndarray:
    """Numbers and moments as float64, NaN for anything else."""
    found = [_days(c) if isinstance(c, date) else to_number(c) for c in cells]
    return np.array([np.nan if n is None else n for n in found], dtype=np.float64)


def all_days(cells: Sequence[Any]) -> np.ndarray:
    """Days since 1970 of a column of times."""
    form = date_form(cells)
    return np.array([_days(c, form) for c in cells], dtype=np.float64)


def _days(cell: Any, form: Form = "iso") -> float:
    """Days since 1970 of a date, a time or text, NaN for anything else."""
    moment = to_moment(cell, form)
    if not isinstance(moment, datetime):
        return float("nan")
    return (moment - datetime(1970, 1, 1)).total_seconds() / 86_400


def _lists(cells: Sequence[Any]) -> list[Any]:
    """Cells as lists where all of them are, else nothing."""
    lists = [parse_list(c) if isinstance(c, str) else c for c in cells]
    given = [c for c, cell in zip(lists, cells, strict=True) if not empty(cell)]
    return lists if given and all(isinstance(c, list | np.ndarray) for c in given) else []


def _of_lists(lists: list[Any]) -> list[np.ndarray]:
    """Length of each list, and sum, mean, least and largest of lists of numbers."""
    nothing = np.array([np.nan])
    measures = [np.array([np.nan if empty(c) else len(c) for c in lists], dtype=np.float64)]
    if all(all_numbers(c) for c in lists if not empty(c) and len(c)):
        arrays = [nothing if empty(c) else np.asarray(c, dtype=np.float64) for c in lists]
        arrays = [a[np.isfinite(a)] if np.isfinite(a).any() else nothing for a in arrays]
        steps = (np.sum, np.mean, np.min, np.max)
        measures += [np.array([step(a) for a in arrays]) for step in steps]
    return measures


def counts_of(lists: list[Any], labels: list[Any] | None) -> tuple[np.ndarray, ...]:
    """How many entries each list has, in all and of each label."""
    amounts = [np.array([np.nan if c is None else len(c) for c in lists])]
    if labels is not None and all(all_texts(c) for c in labels if c is not None):
        amounts += [
            np.array([np.nan if c is None else c.count(label) for c in labels])
            for label in sorted({x for c in labels if c is not None for x in c})
        ]
    return tuple(amounts)
