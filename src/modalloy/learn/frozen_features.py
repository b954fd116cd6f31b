"""Runs frozen encoders once and keeps what they say for every epoch."""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from modalloy.answer.kept_features import FrozenFeatures, Shape
from modalloy.answer.loader import Loader
from modalloy.answer.read_ahead import read_ahead
from modalloy.answer.recalled import Recalled, recalled
from modalloy.learn import processes
from modalloy.machine.progress import Bar
from modalloy.model.body import Body
from modalloy.readers.batch import Arrays

READ_AT_ONCE = 32  # rows that are decoded together


def frozen_features(
    model: Body,
    loader: Loader,
    which: np.ndarray,
    *,
    only: Collection[str] | None = None,
    quiet: bool = False,
) -> None:
    """Let these rows come with what frozen encoders say of them in place of their cells.

    only: of these inputs alone. Encoders that are held for now count as frozen; who lets them
    change forgets what was kept.

    As many rows as the disk budget allows run once, now, and are kept for all epochs; the others
    run whenever they are asked for, with the very same outcome. A text or a path that repeats runs
    once. Rows that share the caches of an earlier training run what it did not keep. Of several
    processes each runs its share and keeps what the others found too: every epoch deals the rows
    out anew. They keep the same rows: what one has no room for, none keeps.
    """
    _, world = processes.start()
    still = {i for i, e in model.encoders.items() if e.still and (only is None or i in only)}
    frozen = [i for i in model.inputs if i in still]
    if not frozen:
        return
    model.eval()
    made: dict[str, FrozenFeatures] = {}
    read: dict[str, np.ndarray] = {}
    room = processes.everywhere(loader.budget.left > 0, world)
    origins = {name: loader.origins(name, which) for name in frozen} if room else {}
    for name in frozen:
        known = loader.features.get(name)
        kept = loader.cache() if known is None else known.kept
        given = (model.encoders[name], loader.readers[name], kept)
        features = FrozenFeatures(*given, store=loader.store)
        features.blank = None if known is None else known.blank
        loader.features[name] = made[name] = features
        first = which[origins[name] == which] if name in origins else which[:0]
        have = np.array([int(row) in kept for row in first], dtype=bool)
        # One process may have kept a row more than another; they read as many together.
        read[name] = first[~np.all(processes.gathered(have, world), axis=0)]
    total = sum(map(len, read.values()))
    if total:
        with Bar("reading with frozen encoders", total, quiet=quiet) as bar:
            for name, some in read.items():
                for count in keep_features(loader, name, made[name], some):
                    bar.advance(count)
    for name in origins:
        repeat(loader, name, made[name], which, origins[name])


class Found(NamedTuple):
    """What a frozen encoder says of some rows, and of how many rows cells were read meanwhile.

    arrays: None for a row without the input. status: of cells that are not as they should be.
    """

    arrays: dict[int, Arrays | None]
    status: dict[int, str]
    read: int


def keep_features(
    loader: Loader, name: str, features: FrozenFeatures, which: np.ndarray
) -> Iterator[int]:
    """Run an input's frozen encoder and keep what it says, until a disk budget is used up.

    That of any process: all of them stop after the same rows. Yields how many rows were read.
    """
    rank, world = processes.start()
    chunks = [which[i : i + READ_AT_ONCE] for i in range(0, len(which), READ_AT_ONCE)]
    own = found_in(loader, name, features, chunks[rank::world])
    absent: list[int] = []
    for _ in range(-(-len(chunks) // world) + 1):  # and one for rows that waited for others
        room = True
        for found in (f for some in processes.gathered(list(islice(own, 1)), world) for f in some):
            said = found.status
            loader.status[name].note(np.fromiter(said, np.int64), list(said.values()))
            absent += [row for row, arrays in found.arrays.items() if arrays is None]
            made = {row: arrays for row, arrays in found.arrays.items() if arrays is not None}
            if made:  # another process may have been the first to see one
                features.see(next(iter(made.values())))
            room &= all([features.keep(row, arrays) for row, arrays in made.items()])
            yield found.read
        if not processes.everywhere(room, world):
            return
    if features.blank is not None:  # else no row has this input
        for row in absent:
            features.keep(row, features.blank)


def found_in(
    loader: Loader, name: str, features: FrozenFeatures, chunks: Sequence[np.ndarray]
) -> Iterator[Found]:
    """Run an input's frozen encoder over rows, some at a time.

    Rows wait until enough of like shape have come to run together; the last to come out are those
    that waited for none.
    """
    waiting: dict[Shape, dict[int, Arrays]] = {}

    def read(some: np.ndarray) -> tuple[np.ndarray, Recalled]:
        return some, recalled(loader, name, features.by_content, some)

    for some, (known, read_now) in read_ahead(read, chunks):
        found: dict[int, Arrays | None] = dict(known)
        for row, arrays in read_now.items():
            if not arrays["present"].all():
                found[row] = None
                continue
            alike = waiting.setdefault(features.shape(arrays), {})
            alike[row] = arrays
            if len(alike) == features.at_once:
                found |= zip(alike, features.run(list(alike.values())), strict=True)
                alike.clear()
        status = {r: loader.status[name][r] for r in some.tolist() if r in loader.status[name]}
        yield Found(found, status, len(some))
    found = {}
    for alike in filter(None, waiting.values()):
        found |= zip(alike, features.run(list(alike.values())), strict=True)
    yield Found(found, {}, 0)


def repeat(
    loader: Loader, name: str, features: FrozenFeatures, which: np.ndarray, origins: np.ndarray
) -> None:
    """Let rows have what the first row with the same cell has."""
    for row, first in zip(which.tolist(), origins.tolist(), strict=True):
        if row != first:
            features.repeat(row, first)
            loader.repeat(name, row, first)
