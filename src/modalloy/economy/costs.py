"""What a cell of each input costs: milliseconds measured here, or what the user says."""

import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from modalloy.answer.blended import blended
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.answer.predictor import Predictor
from modalloy.errors import JobError
from modalloy.job.options import did_you_mean
from modalloy.model.tokens import Batch
from modalloy.readers.batch import TABLE
from modalloy.table.table import Table

ROUNDS = 5
ROWS = 32  # whose cells are read and encoded together


def costs_of(
    inputs: Sequence[str], readers: Sequence[str], given: Mapping[str, float]
) -> dict[str, float]:
    """What the user says of every input; `table` costs nothing unless it is named. JobError for a
    name that is no input, a cost that is none, and a column that is left out.
    """
    for name, cost in given.items():
        if name in readers and name not in inputs:
            raise JobError(
                f"costs: '{name}' is no input of its own: all number, category and time columns "
                f"are bought together; give the cost of '{TABLE}'."
            )
        if name not in inputs:
            raise JobError(
                f"costs: there is no input '{name}'.{did_you_mean(name, list(inputs))} There are: "
                f"{', '.join(inputs)}."
            )
        if not (np.isfinite(cost) and cost >= 0.0):
            raise JobError(f"costs: {name}: {cost:g} is no cost; give 0 or more.")
    missing = [name for name in inputs if name not in given and name != TABLE]
    if missing:
        raise JobError(
            f"costs: {', '.join(given)} have a cost, {', '.join(missing)} none; give each of them "
            "one (0 for what is there anyway), or none at all: then milliseconds are measured."
        )
    found = {name: float(given.get(name, 0.0)) for name in inputs}
    if not any(found.values()):
        raise JobError("costs: every cost is 0, so nothing can be saved; give what cells cost.")
    return found


def measured_ms(predictor: Predictor, table: Table, which: np.ndarray) -> dict[str, float]:
    """Milliseconds of reading and encoding a cell of each input: the median of some rounds, inputs
    in turn, each round over the same rows that have the cell.
    """
    inputs = predictor.engine.inputs
    draw = np.random.default_rng(0)
    spent: dict[str, list[float]] = {name: [] for name in inputs}
    rows = np.sort(draw.permutation(which)[:ROWS])
    for turn in range(ROUNDS + 1):
        for name in inputs:
            seconds, cells = one_round(predictor, table, name, rows)
            if turn and cells:  # the first one warms up
                spent[name].append(1000.0 * seconds / cells)
    return {name: float(np.median(ms)) if ms else 0.0 for name, ms in spent.items()}


@torch.no_grad()
def one_round(predictor: Predictor, table: Table, name: str, rows: np.ndarray) -> tuple[float, int]:
    """Seconds of reading and encoding these rows' cells of one input, nothing kept from before; and
    how many cells there are.
    """
    loader, _ = predictor.open(table)
    begun = time.perf_counter()
    given = loader.batch(rows, inputs=[name])
    predictor.model.encode_one(name, Batch.of(given, predictor.model.device))
    if predictor.model.device.type == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - begun
    present = given.present[name]
    return seconds, int(present.reshape(len(rows), -1).any(1).sum())


def answer_ms(
    predictors: Sequence[Predictor], table: Table, rows: np.ndarray, *, rounds: int = 3
) -> list[float]:
    """Milliseconds an answered row by each of these runs, reading and all: medians of rounds in
    turn. A run with a policy buys; any other reads everything.
    """
    spent: list[list[float]] = [[] for _ in predictors]
    for turn in range(rounds + 1):
        for own, predictor in zip(spent, predictors, strict=True):
            loader, _ = predictor.open(table)
            begun = time.perf_counter()
            if predictor.plan is None:
                answer_all(predictor, loader, rows)
            else:
                predictor.bought(loader, rows)
            if turn:
                own.append(1000.0 * (time.perf_counter() - begun) / max(1, len(rows)))
    return [float(np.median(ms)) for ms in spent]


def answer_all(predictor: Predictor, loader: Loader, rows: np.ndarray) -> None:
    """Answer rows with every cell read, as a run without a policy does."""
    blend = predictor.blend
    viewed = None if predictor.likeness is None else predictor.likeness.pooled
    given = {"heads": blend.heads, "widths": blend.widths, "viewed": viewed}
    blended(blend, answer_rows(predictor.engine, loader, rows, **given), loader, rows)
