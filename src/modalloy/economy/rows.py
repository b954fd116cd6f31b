"""Which rows policies are learned from, and which certify them; test rows do neither."""

from typing import NamedTuple

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.classical.rows import belonging
from modalloy.errors import RunError, TableError
from modalloy.judge.figures import truth_of
from modalloy.learn.recalibrate import unlearned
from modalloy.report.rescore import answered_rows, own_rows
from modalloy.table.table import Table

FEWEST_TO_LEARN = 20


class Rows(NamedTuple):
    """Rows of one table by use. learn: policies are learned from them. certify: they choose the arm
    and its operating point, and nothing else. shown: figures before and after are of them. source:
    where learn and certify are from, in words; which: the same of shown. labels: what says which
    rows belong together, by row; None where each stands alone. said: sentences.
    """

    loader: Loader
    learn: np.ndarray
    certify: np.ndarray
    shown: np.ndarray
    source: str
    which: str
    labels: dict[int, str] | None
    said: list[str]

    def labels_of(self, which: np.ndarray) -> list[str] | None:
        """The labels of some of the rows."""
        return None if self.labels is None else [self.labels[row] for row in which.tolist()]


def own_table(predictor: Predictor) -> Rows:
    """Validation rows teach and calibration rows certify, where a run's split has both and the
    model learned from neither; else halves of what there is. RunError where there is nothing.
    """
    run = predictor.run
    loader, test, extras = own_rows(predictor)
    assert extras.parts is not None, "own rows have parts"
    calibration = known_rows(loader, extras.parts.calibration)
    validation = known_rows(loader, extras.parts.validation)
    refit = bool(run.notes.get("refit"))
    usable = validation if not refit else validation[:0]
    labels, said = together(loader, np.concatenate([usable, calibration, test])), []
    if len(calibration) and len(usable) >= FEWEST_TO_LEARN:
        learn, certify = usable, calibration
        source = "learned from validation rows, certified by the calibration rows of the split"
    elif len(calibration):
        learn, certify = halves(calibration, labels, run.job.seed)
        source = (
            "learned from one half of the calibration rows of the split, certified by the other"
        )
    elif len(usable):
        learn, certify = halves(usable, labels, run.job.seed)
        source = "learned from one half of the validation rows, certified by the other"
        said.append(
            "the training stopped by the validation rows, and what is blended was weighed by them, "
            "which flatters every answer a little; `split: {calibration: 0.1}` keeps rows apart"
        )
    else:
        raise RunError(
            f"{run.path}: its model has learned from all rows but those to test on, so none is "
            "left to learn a policy from; give a table of other labelled rows, or train with "
            "split: {calibration: 0.1}."
        )
    shown, which = (test, "test rows") if len(test) else (certify, "rows of the certificate")
    return Rows(loader, learn, certify, shown, source, which, labels, said)


def given_table(predictor: Predictor, table: Table) -> Rows:
    """One half of the labelled rows that the model has not learned from teaches, the other one
    certifies."""
    run = predictor.run
    loader, which, found = answered_rows(predictor, table)
    which, seen = unlearned(run, loader.table, which)
    said = [f"{f.where}: {f.what}" for f in found]
    if seen:
        said.append(f"{seen} rows that the model has learned from were left out")
    if not len(which):
        raise TableError(
            f"{table.source}: the model has learned from all of its rows that have an answer; give "
            "rows that are new to it."
        )
    labels = together(loader, which)
    learn, certify = halves(which, labels, run.job.seed)
    source = "learned from one half of the given rows, certified by the other"
    return Rows(loader, learn, certify, certify, source, "rows of the certificate", labels, said)


def known_rows(loader: Loader, rows: np.ndarray) -> np.ndarray:
    """Those of these rows of which some answer is known."""
    if not len(rows):
        return rows
    truths = truth_of(loader, rows).values()
    return rows[[any(t is not None for t in row) for row in zip(*truths, strict=True)]]


def together(loader: Loader, rows: np.ndarray) -> dict[int, str] | None:
    """What says which rows belong together, by row."""
    rows = np.unique(rows)
    found = belonging(loader.job, loader.cells, rows)
    return None if found is None else dict(zip(rows.tolist(), found, strict=True))


def halves(
    rows: np.ndarray, labels: dict[int, str] | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Two halves drawn by the seed; rows that belong together are in one, where they differ."""
    draw = np.random.default_rng(seed)
    names = None if labels is None else np.array([labels[r] for r in rows.tolist()])
    if names is None or len(np.unique(names)) < 2:
        first = np.zeros(len(rows), dtype=bool)
        first[draw.permutation(len(rows))[: len(rows) // 2]] = True
        return rows[first], rows[~first]
    first, count = np.zeros(len(rows), dtype=bool), 0
    for name in draw.permutation(np.unique(names)):
        own = names == name
        if abs(2 * (count + own.sum()) - len(rows)) <= abs(2 * count - len(rows)):
            first |= own
            count += int(own.sum())
    if not first.any():  # one group is larger than all others together
        first = names != max(set(names.tolist()), key=names.tolist().count)
    return rows[first], rows[~first]


def folds(labels: list[str] | None, count: int, parts: int) -> np.ndarray:
    """The fold of each of so many rows, whole labels where they differ, (N,)."""
    if labels is not None:
        label_N = np.unique(labels, return_inverse=True)[1]
        if label_N.max(initial=0) > 0:
            return label_N % parts
    return np.arange(count) % parts
