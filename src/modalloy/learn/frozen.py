"""A model and rows in, what its frozen encoders say of them out: run once, kept for every epoch."""

import numpy as np

from modalloy.model.batches import Rows
from modalloy.model.frozen import FrozenFeatures
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.progress import Bar


def frozen_features(model: Model, rows: Rows, which: np.ndarray, *, quiet: bool = False) -> None:
    """Run every frozen trunk once over these rows and keep its features on disk for all epochs.

    A text or a path that repeats runs once.
    """
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
    with Bar("reading with frozen encoders", len(read), quiet=quiet) as bar:
        for batch in rows.stream(read[i : i + 32] for i in range(0, len(read), 32)):
            for name in frozen:
                absent[name] += keep(made[name], name, batch, first[name])
            bar.advance(len(batch))
    for name, features in made.items():
        if features.blank is not None:  # else no row has this input
            for row in absent[name]:
                features.keep(row, features.blank)
            repeat(features, rows, name, which, origins[name])
            rows.features[name] = features


def keep(features: FrozenFeatures, name: str, batch: Batch, wanted: set[int]) -> list[int]:
    """Keep what the wanted rows of a batch give; returns those of which nothing is known yet."""
    at = [i for i, row in enumerate(batch.rows.tolist()) if row in wanted]
    if not at:
        return []
    values = {k: v[at] for k, v in batch.values[name].items()}
    unknown = []
    made = features.make(values, batch.present[name][at])
    for row, arrays in zip(batch.rows[at].tolist(), made, strict=True):
        if arrays is None:
            unknown.append(row)
        else:
            features.keep(row, arrays)
    return unknown


def repeat(
    features: FrozenFeatures, rows: Rows, name: str, which: np.ndarray, origins: np.ndarray
) -> None:
    """Let rows have what the first row with the same cell has."""
    for row, first in zip(which.tolist(), origins.tolist(), strict=True):
        if row != first:
            features.repeat(row, first)
            rows.repeat(name, row, first)
