"""Answers of a network to rows that were changed on their way to it: attacked, lying, corrupted."""

import zlib
from collections.abc import Callable, Iterator

import numpy as np
import torch

from modalloy.answer.answers import Answers, join
from modalloy.answer.loader import Loader
from modalloy.answer.network import BATCH, batches
from modalloy.answer.torch_engine import decoded, unanswered
from modalloy.model.model import Model
from modalloy.model.tokens import Batch

Change = Callable[[Batch, torch.Generator], Batch]


def batches_of(model: Model, loader: Loader, which: np.ndarray) -> Iterator[Batch]:
    """These rows where the model lies, in their order."""
    for given in batches(loader, which, BATCH, model.inputs):
        yield Batch.of(given, model.device)


def answers_to(
    model: Model, loader: Loader, which: np.ndarray, change: Change | None = None, *, seed: int = 0
) -> Answers:
    """Answers to these rows after a change, in their order; the model is left in its mode.

    change: of each batch, with a generator of its own; None leaves rows as they are.
    """
    was = model.training
    model.eval()
    parts = []
    for i, batch in enumerate(batches_of(model, loader, which)):
        if change is not None:
            batch = change(batch, drawn(seed, i))
        with torch.no_grad():
            parts.append(decoded(model, model(unanswered(batch)).tasks))
    model.train(was)
    return join(parts, np.arange(len(which)))


def drawn(*words: int | str) -> torch.Generator:
    """A generator that is told apart by these words."""
    return torch.Generator().manual_seed(zlib.crc32("/".join(map(str, words)).encode()))
