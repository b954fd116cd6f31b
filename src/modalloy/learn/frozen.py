"""A model and rows in, what its frozen encoders say of them out: run once, kept for every epoch."""

from itertools import islice
from typing import NamedTuple

import numpy as np

from modalloy.learn import processes
from modalloy.model.batches import Rows
from modalloy.model.cache import Arrays
from modalloy.model.frozen import FrozenFeatures
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.progress import Bar

AT_ONCE = 32  # rows


def frozen_features(model: Model, rows: Rows, which: np.ndarray, *, quiet: bool = False) -> None:
    """Run every frozen trunk once over these rows and keep its features on disk for all epochs.

    A text or a path that repeats runs once. Of several processes each runs the trunks over its
    share of the rows, and keeps what the others found too: every epoch deals the rows out anew.
    """
    rank, world = processes.start()
    frozen = [i for i in model.inputs if i in model.encoders and model.encoders[i].frozen]
    if not frozen or not model.job.train.cache_gb:
        return
    budget_gb = model.job.train.cache_gb / len(frozen)
    made = {i: FrozenFeatures(model.encoders[i], budget_gb) for i in frozen}
    origins = {i: rows.origins(i, which) for i in frozen}
    absent: dict[str, list[int]] = {i: [] for i in frozen}
    read = which[np.any([origins[i] == which for i in frozen], axis=0)]
    first = {i: set(origins[i].tolist()) for i in frozen}
    model.eval()
    chunks = [read[i : i + AT_ONCE] for i in range(0, len(read), AT_ONCE)]
    rounds = -(-len(chunks) // world)
    with Bar("reading with frozen encoders", len(read), quiet=quiet) as bar:
        batches = rows.stream(chunks[rank::world])
        for i in range(rounds):
            own = [found_in(made, batch, first, rows) for batch in islice(batches, 1)]
            for found in (f for some in processes.gathered(own, world) for f in some):
                for name in frozen:
                    absent[name] += keep(made[name], found[name])
                    rows.status[name].update(found[name].status)
            bar.advance(sum(map(len, chunks[i * world : (i + 1) * world])))
    for name, features in made.items():
        if features.blank is not None:  # else no row has this input
            for row in absent[name]:
                features.keep(row, features.blank)
            repeat(features, rows, name, which, origins[name])
            rows.features[name] = features


class Found(NamedTuple):
    """What one frozen encoder says of some rows; None for a row without the input."""

    arrays: dict[int, Arrays | None]
    status: dict[int, str]  # of cells that are not as they should be


def found_in(
    made: dict[str, FrozenFeatures], batch: Batch, wanted: dict[str, set[int]], rows: Rows
) -> dict[str, Found]:
    """Run each trunk over the wanted rows of a batch."""
    found = {}
    for name, features in made.items():
        at = [i for i, row in enumerate(batch.rows.tolist()) if row in wanted[name]]
        which = batch.rows[at].tolist()
        values = {k: v[at] for k, v in batch.values[name].items()}
        present_B = batch.present[name][at]
        arrays = features.make(values, present_B) if at else []
        here = zip(which, arrays, present_B.tolist(), strict=True)
        status = rows.status[name]
        found[name] = Found(
            {row: a if seen else None for row, a, seen in here},
            {row: status[row] for row in which if row in status},
        )
    return found


def keep(features: FrozenFeatures, found: Found) -> list[int]:
    """Keep what was found; returns the rows without the input, which all have the same."""
    for row, arrays in found.arrays.items():
        if arrays is not None:
            features.keep(row, arrays)
            if features.blank is None:
                features.blank = {n: np.zeros_like(a) for n, a in arrays.items()}
    return [row for row, arrays in found.arrays.items() if arrays is None]


def repeat(
    features: FrozenFeatures, rows: Rows, name: str, which: np.ndarray, origins: np.ndarray
) -> None:
    """Let rows have what the first row with the same cell has."""
    for row, first in zip(which.tolist(), origins.tolist(), strict=True):
        if row != first:
            features.repeat(row, first)
            rows.repeat(name, row, first)
