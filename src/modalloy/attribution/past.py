"""Rows that a run has learned from: those most like a given one, and how numbers range."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.network import embed_rows
from modalloy.answer.predictor import Predictor
from modalloy.cells.numbers import to_numbers
from modalloy.errors import TableError
from modalloy.job.inputs import heard
from modalloy.job.job_file import FRAME
from modalloy.table.fingerprints import fingerprints, same_parts
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

MOST = 1000  # training rows that a row is compared with
RANGE = (0.01, 0.99)  # shares of training rows that the ends of a number's range lie at


class PastRow(NamedTuple):
    """A row that was learned from: its number in the training table, how far it is from the row
    that is explained, and its true answers by task.
    """

    row: int
    distance: float
    truth: dict[str, Any]


@dataclass(frozen=True)
class TrainingRows:
    """The rows of a run's training table that it learned from, thinned evenly to `MOST`.

    rows: their numbers. learned: how many there are in all.
    """

    predictor: Predictor
    loader: Loader
    rows: np.ndarray
    learned: int

    @cached_property
    def fused_ND(self) -> np.ndarray:
        """What the network makes of each row."""
        return embed_rows(self.predictor.engine, self.loader, self.rows).fused

    @cached_property
    def prints_N(self) -> np.ndarray:
        """Fingerprints, by which a row is known again."""
        return fingerprints(self.loader.table, self.loader.job, self.rows)

    def nearest(self, loader: Loader, row: int, count: int) -> list[PastRow]:
        """The rows nearest to one of another table, by the Euclidean distance of what the network
        makes of both; a row with the very same cells is left out.
        """
        own_D = embed_rows(self.predictor.engine, loader, np.array([row])).fused[0]
        same = fingerprints(loader.table, loader.job, np.array([row]))[0]
        apart_N = np.linalg.norm(self.fused_ND.astype(np.float64) - own_D, axis=1)
        apart_N[self.prints_N == same] = np.inf
        order = np.argsort(apart_N, kind="stable")[:count]
        order = order[np.isfinite(apart_N[order])]
        truth = {
            name: target.truth(self.loader.cells(target.columns, self.rows[order]))
            for name, target in self.loader.targets.items()
        }
        return [
            PastRow(int(self.rows[i]), float(apart_N[i]), {t: v[k] for t, v in truth.items()})
            for k, i in enumerate(order)
        ]

    def number_range(self, column: str) -> tuple[float, float]:
        """Between which numbers 98 of 100 rows lie."""
        cells = self.loader.cells((column,), self.rows)
        x = to_numbers(cells[column], cells.decimal)
        low, high = np.quantile(x[np.isfinite(x)], RANGE)
        return float(low), float(high)


def training_rows(predictor: Predictor) -> TrainingRows | str:
    """The rows that a run learned from, or a sentence why they cannot be had."""
    run = predictor.run
    if run.job.table == FRAME:
        return "The run was trained on a frame in memory, so its past rows are not at hand"
    try:
        opened = open_table(run.job.table, sheet=run.job.sheet)
        loader, _ = predictor.open(opened, answers=True, part=slice(0))
        parts = split_job(loader.table, run.job)
    except TableError as error:
        return f"The training table is not at hand: {str(error).rstrip('.')}"
    if not same_parts(loader.table, run.job, parts, run.prints()):
        return f"{loader.table.source} no longer holds the rows that this run was trained on"
    some = np.linspace(0, len(parts.train) - 1, min(MOST, len(parts.train))).round().astype(int)
    rows = parts.train[np.unique(some)]
    if heard(run.job):  # recordings of these rows alone
        loader, _ = predictor.open(opened, answers=True, part=rows)
    return TrainingRows(predictor, loader, rows, len(parts.train))
