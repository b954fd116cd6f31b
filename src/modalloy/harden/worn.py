"""Corruptions that a hardening learns on: of each column those of its kind, at any severity."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from modalloy.harden.lies import places
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.corrupted import Corrupt
from modalloy.objectives.lying import Place

TENSORS = {"image": "pixels", "audio": "wave", "series": "x", "vector": "x"}


def corruptions(model: Model) -> list[tuple[Place, Corrupt]]:
    """Every corruption of every column of a model, each with where its column stands."""
    found: list[tuple[Place, Corrupt]] = []
    where = places(model)
    for name, reader in model.readers.items():
        if reader.kind in TENSORS:
            for how in (noisy, louder, holed):
                found.append((where[name], partial(worn, name, TENSORS[reader.kind], how)))
    return found


def worn(column: str, tensor: str, how: Callable[[Tensor], Tensor], batch: Batch) -> Batch:
    """The batch with one column corrupted."""
    own = batch.values[column]
    values = {**batch.values, column: {**own, tensor: how(own[tensor].float())}}
    return Batch(values, batch.present, batch.targets, batch.rows)


def noisy(x: Tensor) -> Tensor:
    """Normal noise of up to half the batch's deviation."""
    return x + torch.randn(x.shape).to(x) * x.std() * 0.5 * torch.rand(())


def louder(x: Tensor) -> Tensor:
    """Half to double."""
    return x * (2 * torch.rand(()) - 1).exp2()


def holed(x: Tensor) -> Tensor:
    """Up to half of the numbers gone."""
    return x * (torch.rand(x.shape).to(x) > 0.5 * torch.rand(())).to(x.dtype)
