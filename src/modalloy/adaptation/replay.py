"""Old rows beside new ones in every step, so that what a run knew is not forgotten (Ratcliff 1990;
Chaudhry et al. 2019, 1902.10486)."""

from collections.abc import Iterator

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.learn.epoch_order import epoch_order
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses, Objective


def replaying(
    objective: Objective[Model],
    old: Iterator[Batch],
    share: float,
    *,
    again: Objective[Model] | None = None,
) -> Objective[Model]:
    """The objective on a new batch and on the next old one, of which the loss has this share.

    again: the objective for old rows, where it differs.
    """
    of_old = again or objective

    def both(model: Model, batch: Batch) -> Losses:
        new = objective(model, batch)
        if not model.training:
            return new
        past, found = of_old(model, next(old)), Losses()
        for name, loss in new.items():
            count, least = new.counts[name]
            found.add(name, (1.0 - share) * loss + share * past[name], count, least)
        return found

    return both


def endless(
    loader: Loader, rows: np.ndarray, size: int, seed: int, model: Model
) -> Iterator[Batch]:
    """Batches of these rows in ever new orders, where the model lies."""
    epoch = 0
    lengths = loader.lengths(rows)
    while True:
        order = epoch_order(rows, size, seed + 1, epoch, lengths)
        for given in loader.stream(order):
            yield Batch.of(given, model.device)
        epoch += 1
