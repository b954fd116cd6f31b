"""How alike a question and a row must be before anything is answered: by rows that were held back.

A row's own text and the row without that text are a true pair, its text and another whole row a
random one. The threshold parts both best: balanced, so that neither counts more for its number.
"""

import json
from typing import NamedTuple

import numpy as np

from modalloy.answer.space_rows import row_vectors
from modalloy.errors import TableError
from modalloy.machine.files import write_safely
from modalloy.retrieval.searcher import Searcher
from modalloy.runs.learned_from import all_learned
from modalloy.table.fingerprints import fingerprints

LEAST = 10  # held-back rows with a text that a threshold needs
MOST = 2000
FILE = "threshold{}.json"


class Threshold(NamedTuple):
    """The least similarity of an answer. true, random: shares of true and of random pairs above it.
    rows: held-back rows that it comes from.
    """

    similarity: float
    true: float
    random: float
    rows: int


def threshold_of(searcher: Searcher, column: str) -> Threshold:
    """The threshold for questions that a text column reads; kept beside the index.

    TableError for a run without a space for all columns, and where too few rows were held back.
    """
    if not searcher.index.aligned or searcher.space is None:
        raise TableError(
            f"search: run {searcher.run.path.resolve().name} has no space for all columns, so "
            "nobody can say how near a row must be to answer a question; pretrain with `contrast`."
        )
    place = list(searcher.index.columns).index(column)
    path = searcher.index.folder / FILE.format(place)
    if path.is_file():
        return Threshold(**json.loads(path.read_text()))
    found = calibrated(*pairs(searcher, column))
    write_safely(path, json.dumps(found._asdict()).encode())
    return found


def held_back(searcher: Searcher, column: str) -> np.ndarray:
    """Rows with this column that were neither learned from nor are tested on, at most `MOST`."""
    run, table = searcher.run, searcher.loader.table
    prints = fingerprints(table, run.job)
    seen = np.concatenate([all_learned(run), run.prints().test])
    rows = np.flatnonzero(~np.isin(prints, seen) & searcher.index.has(column))
    if len(rows) < LEAST:
        raise TableError(
            f"search: {len(rows)} rows of {table.source} with column '{column}' were held back "
            f"from learning, and {LEAST} are needed to know how near a row must be to answer a "
            "question; give a table with more rows, or a job with validation rows."
        )
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(MOST, len(rows))).round().astype(int))]


def pairs(searcher: Searcher, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Similarities of true pairs, (N,), and of random ones, of each text and another row, (N,)."""
    rows, index = held_back(searcher, column), searcher.index
    text_NS = np.asarray(index.columns[column][rows], dtype=np.float32)
    others = [n for n in index.columns if n != column]
    given = (searcher.body, searcher.space, searcher.loader, rows)
    rest = row_vectors(*given, inputs=others)
    assert rest.row is not None, "whole rows were asked for"
    have = np.any(list(rest.present.values()), axis=0)
    true = (text_NS * index.placed(None, rest.row)).sum(1)[have]
    whole_NS = np.asarray(index.row[rows], dtype=np.float32)
    random = (text_NS * np.roll(whole_NS, 1, axis=0)).sum(1)
    if not len(true):
        raise TableError(f"search: no held-back row has anything beside column '{column}'.")
    return true, random


def calibrated(true: np.ndarray, random: np.ndarray) -> Threshold:
    """The similarity that parts true from random pairs best, in the middle of its gap; of several
    that are as good the highest, which answers least.
    """
    edges = np.unique(np.concatenate([true, random]))
    middles = (edges[1:] + edges[:-1]) / 2 if len(edges) > 1 else edges
    rates = [((true > t).mean(), (random > t).mean()) for t in middles]
    at = len(rates) - 1 - int(np.argmax([hit - false for hit, false in rates][::-1]))
    hit, false = rates[at]
    return Threshold(float(middles[at]), float(hit), float(false), len(random))
