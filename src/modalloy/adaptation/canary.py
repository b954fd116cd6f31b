"""A small labelled table that says whether adapting without labels made answers worse."""

from typing import NamedTuple

import numpy as np

from modalloy.adaptation.figures import Answering, Pairs, compare_answers, points_lost, worst
from modalloy.answer.answers import Answer
from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.checks.finding import some
from modalloy.errors import TableError
from modalloy.judge.wording import say_gain
from modalloy.report.rescore import answered_rows
from modalloy.table.table import Table


class Canary(NamedTuple):
    """Labelled rows, and how the run answered them as it was."""

    loader: Loader
    rows: np.ndarray
    before: dict[str, Answer]


def open_canary(predictor: Predictor, table: Table) -> Canary:
    """The labelled rows of a table; TableError where it has none."""
    targets = [c for t in predictor.run.targets.values() for c in t.columns]
    try:
        loader, rows, _ = answered_rows(predictor, table)
    except TableError as error:
        raise TableError(
            f"{table.source}: no row of this canary set has a label in {some(map(repr, targets))}, "
            "so it cannot tell whether answers got worse. Label some of its rows, or leave the "
            "canary out."
        ) from error
    was = Answering(predictor.model, predictor.blend, predictor.run.stages)
    return Canary(loader, rows, was.answers(loader, rows))


def judge(canary: Canary, now: Answering, loader: Loader) -> tuple[float, str, Pairs]:
    """Points that the worst task loses, in words what it loses, and all figures; paired.

    loader: of the canary's table, as columns are read now.
    """
    after = now.answers(loader, canary.rows)
    figures = compare_answers(canary.loader, canary.rows, canary.before, after)
    lost = points_lost(canary.loader, canary.rows, canary.before, after)
    task, points = worst(lost)
    said = ""
    for metric, pair in list(figures.get(task, {}).items())[:1]:
        if pair.before is not None and pair.after is not None:
            said = f"{task}: {say_gain(metric, pair.after - pair.before)}"
    return points, said, figures
