"""Tests that found something as drifts in words: one a column, with the rows and the moment."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.drift.since import change_point
from modalloy.drift.sketch import Sketch
from modalloy.job import config
from modalloy.observing.reference import Reference
from modalloy.observing.seen import Feature, Seen
from modalloy.readers.targets.target import names_of
from modalloy.watching import words
from modalloy.watching.beside import Beside
from modalloy.watching.comparisons import ANSWERS, Comparison
from modalloy.watching.watched import Drift, Since

SURE = 0.01  # chance below which a change within the window is said
SHOWN = 8  # rows that are named


class Window(NamedTuple):
    """Rows beside those that a run knows. which: their numbers in the table, in the order that they
    came; when: their moments in words, where they have some. coverage: promised, by task. beside:
    how far another run is from this one, by task."""

    loader: Loader
    which: np.ndarray
    when: Sequence[str] | None
    reference: Reference
    seen: Seen
    coverage: Mapping[str, float]
    beside: Sequence[Beside] = ()

    def moment(self, at: int) -> Since:
        """The row at a position, and when it was."""
        return Since(int(self.which[at]), self.when[at] if self.when is not None else "")


def drifts_of(window: Window, alarms: Sequence[Comparison]) -> list[Drift]:
    """One drift for each column, and for each kind of a task's answers, by its surest test; the
    others are named beside it."""
    grouped: dict[tuple[str, str], list[Comparison]] = {}
    for alarm in alarms:
        kind = alarm.kind if alarm.kind in ANSWERS else ""
        grouped.setdefault((alarm.where, kind), []).append(alarm)
    return [drift_of(window, own) for own in grouped.values()]


def drift_of(window: Window, own: Sequence[Comparison]) -> Drift:
    """The drift of one place."""
    # A description in words ("darker") says more than vectors, if both are there.
    first = next((a for a in own if a.kind != "vectors"), own[0])
    said, much, index = say(window, first)
    since = since_of(window, first)
    rows = unlike_rows(window, first)
    where = "" if since is None else f", since row {since.row}"
    if since is not None and since.when:
        where += f" ({since.when})"
    noticed = None if first.noticed is None else window.moment(first.noticed)
    if noticed is not None:
        where += f", noticed at row {noticed.row}"
    besides = tuple(dict.fromkeys(beside(a) for a in own if a is not first and beside(a)))
    if besides:
        where += "; also " + ", ".join(besides[:4])
    return Drift(
        first.where,
        first.kind,
        first.of,
        said + where,
        float(first.size),
        much,
        float(first.chance),
        index,
        since,
        rows,
        besides,
        noticed,
    )


def beside(alarm: Comparison) -> str:
    """What of a column is found besides, in a few words."""
    return "what its encoder sees" if alarm.kind == "vectors" else alarm.of or "its numbers"


def say(window: Window, test: Comparison) -> tuple[str, words.Much, float | None]:
    """The sentence of a test, how much it is, and the stability index where there is one."""
    reference, seen, loader = window.reference, window.seen, window.loader
    where, kind = test.where, test.kind
    if kind in ANSWERS:
        return say_task(window, test)
    match kind:
        case "number":
            feature = Feature(where, test.of)
            name = f"{where}: {test.of}" if test.of else where
            unit = "" if test.of else unit_of(loader.job, where)
            return words.say_number(
                name, reference.numbers[feature].own, seen.numbers[feature], unit
            )
        case "missing":
            gone = reference.rows - reference.present[where]
            return *words.say_missing(test, gone, reference.rows), None
        case "new":
            row = window.which[int(np.flatnonzero(test.score_B > 0)[0])]
            example = loader.table.written(where, np.array([row]))[0]
            return *words.say_new(test, str(example)[:40]), None
        case "names":
            called = list(getattr(loader.readers[where], "names", ()))
            return words.say_names(where, called, reference.names[where], seen.names[where])
        case _:
            return *words.say_vectors(where, test), None


def say_task(window: Window, test: Comparison) -> tuple[str, words.Much, float | None]:
    """The same of what is answered."""
    task = test.where
    new = window.seen.said[task]
    if test.kind == "beside":
        own = next(b for b in window.beside if b.task == task)
        return *words.say_beside(own), None
    if test.kind == "covered":
        return *words.say_covered(task, new, window.coverage[task]), None
    old = window.reference.said[task]
    match test.kind:
        case "classes":
            called = names_of(window.loader.targets[task]) or []
            return words.say_classes(task, called, old, new)
        case "value":
            known = Sketch.of(old.value_B)
            return words.say_number(f"{task}: answers", known, new.value_B, "")
        case "sure":
            return *words.say_sure(task, old, new), None
        case _:
            return *words.say_right(task, old, new), None


def unit_of(job: config.Job, column: str) -> str:
    """A column's unit, "" where it has none."""
    return getattr(job.columns.get(column), "unit", None) or ""


def since_of(window: Window, test: Comparison) -> Since | None:
    """Where within the window it began; None where its rows are alike in this."""
    if test.began is not None:
        return window.moment(test.began)
    change = change_point(test.score_B)
    if change is None or change.chance > SURE:
        return None
    rows = np.arange(len(test.score_B))
    if np.nanmean(test.score_B[rows >= change.at]) <= np.nanmean(test.score_B[rows < change.at]):
        return None  # it began before the window, and has become less
    return window.moment(change.at)


def unlike_rows(window: Window, test: Comparison) -> tuple[int, ...]:
    """Rows that point the way of the difference most, by their numbers in the table."""
    known = np.flatnonzero(np.isfinite(test.score_B))
    order = known[np.argsort(-test.score_B[known], kind="stable")][:SHOWN]
    return tuple(int(window.which[i]) for i in order)
