"""Every test of a window of rows against those that a run knows, and which of them found something.

One family of tests a window: each number, name, missing share, column's vectors, and what is
answered. Benjamini & Hochberg's step-up at `LEVEL` over all of them keeps the chance of any alarm
at or below it where nothing has drifted; the rest up to 5 % is for streams.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from modalloy.drift.coverage import coverage_chance
from modalloy.drift.discoveries import discoveries
from modalloy.drift.ks import ks
from modalloy.drift.mean_rank import mean_rank
from modalloy.drift.mmd import mmd
from modalloy.drift.shares import chi_square, one_share
from modalloy.drift.sketch import Sketch
from modalloy.drift.two_samples import tell_apart
from modalloy.observing.look import some_of
from modalloy.observing.reference import Counts, Reference, Spread
from modalloy.observing.seen import Feature, Say, Seen

LEVEL = 0.04  # chance of any alarm by these tests in a window that has not drifted
FEWEST = 20  # rows, below which nothing can be told
HELD = 20  # held-back rows, below which nobody knows how often a name is new
COMPARED = 500  # new rows whose vectors are compared together

Kind = Literal[
    "number",
    "missing",
    "new",
    "names",
    "vectors",
    "classes",
    "sure",
    "value",
    "covered",
    "right",
    "beside",
]
# Kinds about a task, not a column.
ANSWERS = ("classes", "sure", "value", "covered", "right", "beside")


class Comparison(NamedTuple):
    """What one test says. where: the column, channel or task. of: what of it. size: how different,
    on the test's own scale. chance: of so much without drift. score_B: how far each row points the
    way of the difference, NaN where it has no say. old_N: the same of rows that the run knows,
    where that is kept. began, noticed: positions at which a change began and was told, of tests
    that say so themselves.
    """

    where: str
    of: str
    kind: Kind
    size: float
    chance: float
    score_B: np.ndarray
    old_N: np.ndarray | None = None
    began: int | None = None
    noticed: int | None = None


def comparisons_of(
    reference: Reference, seen: Seen, *, coverage: dict[str, float], seed: int
) -> list[Comparison]:
    """All tests of a window. coverage: task -> the share of sets that is to hold the truth."""
    draw = np.random.default_rng(seed)
    found: list[Comparison] = []
    for column, there_B in seen.present.items():
        if column in reference.present:
            found.extend(missing(column, reference, there_B))
    for feature, x_B in seen.numbers.items():
        if feature in reference.numbers:
            found.append(number(feature, reference.numbers[feature], x_B))
    for column, name_B in seen.names.items():
        if column in reference.names:
            found.extend(names(column, reference.names[column], name_B))
    for column, x_BF in seen.vectors.items():
        if column in reference.vectors:
            found.extend(vectors(column, reference.vectors[column], x_BF, draw))
    for task, said in seen.said.items():
        if task in reference.said:
            found.extend(answers(task, reference.said[task], said))
        if task in coverage:
            found.extend(covered(task, said, coverage[task]))
    return found


def alarms_in(tests: list[Comparison]) -> list[Comparison]:
    """Those that found something, the surest first."""
    found = discoveries([t.chance for t in tests], LEVEL)
    kept = [t for t, sure in zip(tests, found, strict=True) if sure]
    return sorted(kept, key=lambda t: (t.chance, -abs(t.size)))


def missing(column: str, reference: Reference, there_B: np.ndarray) -> Iterator[Comparison]:
    """Whether a column lacks more cells, or fewer; nothing where it never lacks one."""
    gone, rows = reference.rows - reference.present[column], reference.rows
    lacks_B = ~there_B
    if gone or lacks_B.any():
        said = one_share(gone, rows, int(lacks_B.sum()), len(lacks_B))
        score_B = lacks_B if said.size >= 0 else there_B
        yield Comparison(column, "missing", "missing", *said, score_B.astype(np.float64))


def number(feature: Feature, spread: Spread, x_B: np.ndarray) -> Comparison:
    """Where a number lies, and how far from the median: three tests, of which the surest counts.
    The size is the larger gap between distribution functions."""
    apart_B = spread.distance(x_B)
    lies, wide = ks(spread.own, x_B), ks(spread.apart, apart_B)
    least = min(lies.chance, wide.chance, mean_rank(spread.apart, apart_B).chance)
    size, chance = max(lies.size, wide.size), min(1.0, 3.0 * least)
    return Comparison(feature.column, feature.of, "number", size, chance, away(spread.own, x_B))


def away(sketch: Sketch, x_B: np.ndarray) -> np.ndarray:
    """How far each number lies out, in deviations: to the side that most have gone to, else to
    either."""
    deviation = sketch.spread or max(abs(sketch.median), 1.0) * 1e-3
    z_B = (x_B - sketch.median) / deviation
    rank = float(np.nanmean(sketch.rank(x_B))) if np.isfinite(x_B).any() else 0.5
    return np.sign(rank - 0.5) * z_B if abs(rank - 0.5) > 0.05 else np.abs(z_B)


def names(column: str, known: Counts, name_B: np.ndarray) -> Iterator[Comparison]:
    """Whether more names are new, and whether the known ones have other shares."""
    there = name_B >= 0
    new_C = np.bincount(name_B[there].astype(np.int64), minlength=len(known.held_C))
    held = int(known.held_C.sum())
    if held >= HELD and (new_C[0] or known.held_C[0]):
        said = one_share(int(known.held_C[0]), held, int(new_C[0]), int(there.sum()))
        chance = said.chance if said.size > 0 else 1.0  # fewer new names are no drift
        score_B = (name_B == 0).astype(np.float64)
        yield Comparison(column, "new names", "new", said.size, chance, score_B)
    old_C = known.learned_C + known.held_C
    old_share_C = old_C / max(old_C[1:].sum(), 1)
    more_C = new_C / max(new_C[1:].sum(), 1) - old_share_C
    more_C[0] = 0.0
    score_B = np.where(there, more_C[np.maximum(name_B, 0).astype(np.int64)], np.nan)
    yield Comparison(column, "names", "names", *chi_square(old_C[1:], new_C[1:]), score_B)


def vectors(
    column: str, old_VF: np.ndarray, x_BF: np.ndarray, draw: np.random.Generator
) -> Iterator[Comparison]:
    """Whether vectors lie elsewhere: by their mean discrepancy, and by a classifier; the surer of
    both counts. The size is the classifier's AUC. Nothing where too few rows have any."""
    there = np.flatnonzero(np.isfinite(x_BF).all(1))
    there = there[some_of(len(there), COMPARED, draw)]
    if min(len(old_VF), len(there)) < FEWEST:
        return
    told = tell_apart(old_VF, x_BF[there], draw=draw)
    apart = mmd(old_VF, x_BF[there], draw=draw)
    score_B = np.full(len(x_BF), np.nan)
    score_B[there] = told.new_M
    chance = min(1.0, 2.0 * min(told.chance, apart.chance))
    yield Comparison(column, "", "vectors", told.auc, chance, score_B, told.old_N)


def answers(task: str, old: Say, new: Say) -> Iterator[Comparison]:
    """Whether other things are answered, less surely, or less rightly."""
    if old.kind == "classes":
        size = int(max(old.name_B.max(initial=0), new.name_B.max(initial=0))) + 1
        old_C, new_C = (np.bincount(s.name_B, minlength=size) for s in (old, new))
        more_C = new_C / max(new_C.sum(), 1) - old_C / max(old_C.sum(), 1)
        yield Comparison(task, "answers", "classes", *chi_square(old_C, new_C), more_C[new.name_B])
    if np.isfinite(old.value_B).any() and np.isfinite(new.value_B).any():
        sketch = Sketch.of(old.value_B)
        said = ks(sketch, new.value_B)
        yield Comparison(task, "answers", "value", *said, away(sketch, new.value_B))
    if np.isfinite(old.sure_B).any() and np.isfinite(new.sure_B).any():
        said = ks(Sketch.of(old.sure_B), new.sure_B)
        less = float(np.nanmean(new.sure_B)) < float(np.nanmean(old.sure_B))
        yield Comparison(task, "confidence", "sure", *said, -new.sure_B if less else new.sure_B)
    if old.kind == "classes":
        was, now = (s.right_B[np.isfinite(s.right_B)] for s in (old, new))
        if len(was) and len(now):
            said = one_share(int(was.sum()), len(was), int(now.sum()), len(now))
            yield Comparison(task, "right answers", "right", *said, 1.0 - new.right_B)
    elif old.kind == "number" and np.isfinite(new.error_B).any() and len(old.error_B):
        said = ks(Sketch.of(old.error_B), new.error_B)
        yield Comparison(task, "errors", "right", *said, new.error_B)


def covered(task: str, said: Say, promised: float) -> Iterator[Comparison]:
    """Whether sets and intervals hold the truth less often than promised, where it is known."""
    held_B = said.held_B[np.isfinite(said.held_B)]
    if len(held_B):
        found = coverage_chance(int(held_B.sum()), len(held_B), promised)
        yield Comparison(task, "coverage", "covered", *found, 1.0 - said.held_B)
