"""Which rows ranges are taken from, and which held-back ones guard a compression; test rows do
neither.
"""

from typing import NamedTuple

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.predictor import Predictor
from modalloy.deploy.contract import GUARDED
from modalloy.errors import RunError, TableError
from modalloy.judge.figures import truth_of
from modalloy.learn.recalibrate import unlearned
from modalloy.report.rescore import answered_rows, own_rows
from modalloy.table.table import Table

CALIBRATED = 128  # rows that ranges are taken from: 128 real ones lose less than 8 do
PARTS = 10  # of a number's range that rows are drawn from alike
LEARNED = 2048  # rows that smaller networks are taught on
NONE = np.zeros(0, np.int64)
SHARE = 0.25  # of a given table that ranges are taken from


class Rows(NamedTuple):
    """calibrate: ranges are taken from these, and speed is measured on them; their answers say
    only how they are drawn. guard: labelled rows that the model has not learned from. source: of
    the guard, in words. said: sentences. learn: smaller networks are taught on these, without their
    answers. held: rows like the guard's, but none of it, which say whether teaching helped.
    """

    loader: Loader
    calibrate: np.ndarray
    guard: np.ndarray
    source: str
    said: list[str]
    learn: np.ndarray
    held: np.ndarray = NONE


def own_table(predictor: Predictor, *, most: int = GUARDED) -> Rows:
    """Training rows give the ranges and validation rows guard; where the model was fitted again on
    those, rows that calibrated it. most: of the guard. RunError where nothing is left.
    """
    run = predictor.run
    loader, _, extras = own_rows(predictor)
    assert extras.parts is not None, "own rows have parts"
    refit, parts = bool(run.notes.get("refit")), extras.parts
    held = parts.calibration if refit else parts.validation
    held, source = known_rows(loader, held), "calibration rows" if refit else "validation rows"
    if not len(held):
        held, source = known_rows(loader, parts.calibration), "calibration rows"
    if not len(held):
        raise RunError(
            f"{run.path}: its model has learned from all rows but those to test on, so none is "
            "left to guard a compression by; give other labelled rows with --table, or train with "
            "split: {validation: 0.2}."
        )
    plain(loader)
    learned, seed = parts.train if len(parts.train) else held, run.job.seed
    calibrate = drawn(loader, learned, CALIBRATED, seed)
    guard, learn = drawn(loader, held, most, seed), drawn(loader, learned, LEARNED, seed)
    return Rows(loader, calibrate, guard, source, [], learn)


def given_table(predictor: Predictor, table: Table, *, most: int = GUARDED) -> Rows:
    """A quarter of the labelled rows that the model has not learned from gives the ranges, the
    others guard. most: of the guard. TableError where it has learned from all.
    """
    run = predictor.run
    loader, which, found = answered_rows(predictor, table)
    which, seen = unlearned(run, loader.table, which)
    said = [f"{f.where}: {f.what}" for f in found]
    if seen:
        said.append(f"{seen} rows that the model has learned from were left out")
    if len(which) < 2:
        raise TableError(
            f"{table.source}: {len(which)} of its rows have an answer and are new to the model; "
            "give at least two, better some hundreds."
        )
    plain(loader)
    some = min(CALIBRATED, max(1, int(SHARE * len(which))))
    calibrate = drawn(loader, which, some, run.job.seed)
    guard = drawn(loader, np.setdiff1d(which, calibrate), most, run.job.seed)
    return Rows(loader, calibrate, guard, "rows of the given table", said, calibrate)


def set_apart(rows: Rows) -> Rows:
    """The same with every fourth row of the guard held apart from it."""
    fourth = np.arange(len(rows.guard)) % 4 == 3
    return rows._replace(guard=rows.guard[~fourth], held=rows.guard[fourth])


def plain(loader: Loader) -> None:
    """Let every cell be read as it is, since graphs take no features of frozen encoders."""
    loader.features.clear()


def known_rows(loader: Loader, rows: np.ndarray) -> np.ndarray:
    """Those of these rows of which some answer is known."""
    if not len(rows):
        return rows
    truths = truth_of(loader, rows).values()
    return rows[[any(t is not None for t in row) for row in zip(*truths, strict=True)]]


def drawn(loader: Loader, rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """At most so many rows, ascending: of each label or part of a number's range alike, so that
    rare ones have a say in the ranges.
    """
    if len(rows) <= most:
        return rows
    draw = np.random.default_rng(seed)
    mixed = draw.permutation(rows)
    kind_N = strata(loader, mixed)
    turn_N = np.zeros(len(mixed), np.int64)  # how many of its kind stand before each row
    for kind in np.unique(kind_N):
        own = np.flatnonzero(kind_N == kind)
        turn_N[own] = np.arange(len(own))
    return np.sort(mixed[np.argsort(turn_N, kind="stable")[:most]])


def strata(loader: Loader, rows: np.ndarray) -> np.ndarray:
    """The label of each row in the first task, or the tenth of its number's range, (N,)."""
    truth = next(iter(truth_of(loader, rows).values()))
    known = [t for t in truth if t is not None]
    if known and all(isinstance(t, int | float) and not isinstance(t, bool) for t in known):
        value_N = np.array([np.nan if t is None else t for t in truth], dtype=np.float64)
        edges = np.quantile(value_N[~np.isnan(value_N)], np.linspace(0, 1, PARTS + 1)[1:-1])
        return np.where(np.isnan(value_N), -1, np.searchsorted(edges, value_N))
    return np.unique([repr(t) for t in truth], return_inverse=True)[1]
