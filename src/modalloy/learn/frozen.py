"""A model and rows in, what its frozen encoders say of them out: run once, kept for every epoch."""

from collections.abc import Iterator

import numpy as np

from modalloy.model.batches import Rows, read_ahead
from modalloy.model.cache import Arrays
from modalloy.model.frozen import FrozenFeatures, Shape
from modalloy.model.model import Model
from modalloy.progress import Bar

READ_AT_ONCE = 32  # rows that are decoded together


def frozen_features(model: Model, rows: Rows, which: np.ndarray, *, quiet: bool = False) -> None:
    """Let these rows come with what frozen encoders say of them in place of their cells.

    As many rows as the disk budget allows run once, now, and are kept for all epochs; the others
    run whenever they are asked for, with the very same outcome. A text or a path that repeats runs
    once. Rows that share the caches of an earlier training run what it did not keep.
    """
    frozen = [i for i in model.inputs if i in model.encoders and model.encoders[i].frozen]
    if not frozen:
        return
    model.eval()
    read: dict[str, np.ndarray] = {}
    origins = {name: rows.origins(name, which) for name in frozen} if rows.budget.left > 0 else {}
    for name in frozen:
        known = rows.features.get(name)
        kept = rows.cache() if known is None else known.kept
        features = FrozenFeatures(model.encoders[name], rows.readers[name], kept)
        features.blank = None if known is None else known.blank
        rows.features[name] = features
        first = which[origins[name] == which] if name in origins else which[:0]
        read[name] = first[[int(row) not in kept for row in first]]
    total = sum(map(len, read.values()))
    if total:
        with Bar("reading with frozen encoders", total, quiet=quiet) as bar:
            for name, some in read.items():
                for count in keep_features(rows, name, some):
                    bar.advance(count)
    for name in origins:
        repeat(rows, name, which, origins[name])


def keep_features(rows: Rows, name: str, which: np.ndarray) -> Iterator[int]:
    """Run an input's frozen encoder and keep what it says, until the disk budget is used up.

    Rows wait until enough of like shape have come to run together. Yields how many were read.
    """
    features = rows.features[name]
    waiting: dict[Shape, dict[int, Arrays]] = {}
    absent: list[int] = []
    chunks = (which[i : i + READ_AT_ONCE] for i in range(0, len(which), READ_AT_ONCE))

    def read(some: np.ndarray) -> list[tuple[int, Arrays]]:
        return list(zip(some.tolist(), rows.arrays(name, some), strict=True))

    for pairs in read_ahead(read, chunks):
        for row, arrays in pairs:
            if not arrays["present"].all():
                absent.append(row)
                continue
            alike = waiting.setdefault(features.shape(arrays), {})
            alike[row] = arrays
            if len(alike) == features.at_once and not keep_together(features, alike):
                return
        yield len(pairs)
    for alike in waiting.values():
        keep_together(features, alike)
    if features.blank is not None:  # else no row has this input
        for row in absent:
            features.keep(row, features.blank)


def keep_together(features: FrozenFeatures, alike: dict[int, Arrays]) -> bool:
    """Run these rows and keep them; whether there was room for all."""
    made = features.make(list(alike.values()))
    rows = list(alike)
    alike.clear()
    return all([m is not None and features.keep(r, m) for r, m in zip(rows, made, strict=True)])


def repeat(rows: Rows, name: str, which: np.ndarray, origins: np.ndarray) -> None:
    """Let rows have what the first row with the same cell has."""
    for row, first in zip(which.tolist(), origins.tolist(), strict=True):
        if row != first:
            rows.features[name].repeat(row, first)
            rows.repeat(name, row, first)
