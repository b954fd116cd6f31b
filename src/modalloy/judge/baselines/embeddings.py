"""Embeddings of pretrained encoders before any training, for baselines."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from modalloy.answer.loader import Loader
from modalloy.answer.torch_engine import pooled_vectors
from modalloy.machine.progress import Bar
from modalloy.model.encoders.image import ImageEncoder
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.table.split import Parts

MOST_TRAIN = 5000  # as many as the other simple methods get where media are read
MOST_TEST = 2000


class Embeddings(NamedTuple):
    """Features of some training and test rows; all pretrained inputs side by side."""

    train: np.ndarray
    test: np.ndarray
    of: Callable[[np.ndarray], np.ndarray]  # row numbers -> (N, F), NaN where a cell is absent
    inputs: tuple[str, ...]  # the columns that they are features of


@torch.no_grad()
def frozen_embeddings(
    model: Model, loader: Loader, parts: Parts, *, quiet: bool
) -> Embeddings | None:
    """Pooled features of every pretrained encoder, taken before training; None without one.

    At most MOST_TRAIN and MOST_TEST rows are drawn, so that the baseline costs no more than one
    epoch. Call before the weights change.
    """
    names = [n for n in model.encoders if model.encoders[n].trunk is not None]
    if not names or not len(parts.test):
        return None
    rng = np.random.default_rng(0)
    train, test = (
        np.sort(rng.choice(part, min(most, len(part)), replace=False))
        for part, most in ((parts.train, MOST_TRAIN), (parts.test, MOST_TEST))
    )
    wanted = np.concatenate([train, test])
    model.eval()
    found: dict[int, np.ndarray] = {}
    views = one_view([model.encoders[n] for n in names])
    with views, Bar("baseline features", len(wanted), quiet=quiet) as bar:
        for batch in loader.stream(wanted[i : i + 32] for i in range(0, len(wanted), 32)):
            seen = Batch.of(batch, model.device)
            part = np.concatenate([pooled_vectors(model, n, seen) for n in names], 1)
            found.update({int(r): v for r, v in zip(batch.rows, part, strict=True)})
            bar.advance(len(batch))
    return Embeddings(
        train, test, lambda some: np.stack([found[int(r)] for r in some]), tuple(names)
    )


@contextmanager
def one_view(encoders: Sequence[nn.Module]) -> Iterator[None]:
    """Pictures as they are: a baseline is not worth eight times the work.

    What frozen encoders say comes with the rows, for the model too, and has all views.
    """
    seen = (e for e in encoders if isinstance(e, ImageEncoder) and not e.still)
    held = [(e, e.views) for e in seen]
    for encoder, _ in held:
        encoder.views = ""
    try:
        yield
    finally:
        for encoder, views in held:
            encoder.views = views
