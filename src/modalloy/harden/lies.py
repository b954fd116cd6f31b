"""What a sensor that lies says in place of a cell: where each column stands, noise of its kind, and
all that it may say.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from modalloy.attacks.budget import Budget
from modalloy.attacks.moves import Moves
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.lying import Place, mixed, reordered
from modalloy.objectives.reach import Reach, ReachOf
from modalloy.readers.audio import AudioReader
from modalloy.readers.batch import TABLE
from modalloy.readers.build import TABULAR
from modalloy.readers.category import CategoryReader
from modalloy.readers.image import ImageReader
from modalloy.readers.number import KNEE, NumberReader
from modalloy.readers.reader import Reader
from modalloy.readers.series import SeriesReader
from modalloy.readers.text import TextReader
from modalloy.readers.vector import VectorReader

# By kind of column, a budget that reaches about all that its cells may say.
ANYTHING: dict[str, tuple[float, str]] = {
    "image": (255.0, "/255"),
    "audio": (100.0, "%"),
    "series": (3.0, "sd"),
    "vector": (3.0, "sd"),
    "number": (100.0, "%"),
    "time": (365.0, "d"),
    "text": (1.0, "embedding"),
    "tokens": (1.0, "embedding"),
}


def places(model: Model) -> dict[str, Place]:
    """Where each column of a model stands in its batches."""
    kinds = {k: [n for n, r in model.readers.items() if r.kind == k] for k in TABULAR}
    order = [name for names in kinds.values() for name in names]
    found = {}
    for name, reader in model.readers.items():
        if reader.kind in kinds:
            at = kinds[reader.kind].index(name)
            found[name] = Place(TABLE, reader.kind, at, order.index(name))
        else:
            found[name] = Place(name)
    return found


def anything(model: Model) -> dict[str, ReachOf[Model]]:
    """By column, all that it may say; categories, which no gradient moves, are left out."""
    budgets = {
        name: Budget(name, *ANYTHING[r.kind], "embedding" if r.kind in ("text", "tokens") else "linf")
        for name, r in model.readers.items()
        if r.kind in ANYTHING
    }
    return {name: within([budget]) for name, budget in budgets.items()}


def within(budgets: list[Budget]) -> ReachOf[Model]:
    """What an attacker may do to a batch within these budgets."""

    def reach(model: Model, batch: Batch) -> Reach:
        return Moves.of(model, batch, budgets)

    return reach


def noise(model: Model, batch: Batch, column: str, draw: torch.Generator | None = None) -> Batch:
    """The batch with noise in all cells of one column that are there; of a date another row's.

    draw: torch's global generator for None.
    """
    draw = draw or torch.default_generator
    place, reader = places(model)[column], model.readers[column]
    own = batch.values[place.input]
    if place.tensor is None:
        values = {**own, **media_noise(reader, own, draw)}
    else:
        told = plain_noise(reader, own[place.tensor][:, place.at], draw)
        if told is None:
            order = torch.randperm(len(batch), generator=draw)
            rows_B = torch.ones(len(batch), dtype=torch.bool)
            return mixed(batch, reordered(batch, order), place, rows_B)
        x = own[place.tensor].clone()
        x[:, place.at] = told
        values = {**own, place.tensor: x}
    every = {**batch.values, place.input: values}
    return Batch(every, batch.present, batch.targets, batch.rows)


def media_noise(
    reader: Reader, own: Mapping[str, Tensor], draw: torch.Generator
) -> dict[str, Tensor]:
    """Arrays of a media column without a trace of what they were, of the same sizes."""

    def normal(x: Tensor) -> Tensor:
        return torch.randn(x.shape, generator=draw).to(x.device, x.dtype)

    match reader:
        case ImageReader():
            x = own["pixels"]
            pixels = torch.randint(0, 256, x.shape, generator=draw).to(x.device, x.dtype)
            return {"pixels": pixels}
        case AudioReader():
            x_BL = own["wave"]
            there_BL = torch.arange(x_BL.shape[1], device=x_BL.device) < own["length"][:, None]
            power_B1 = (x_BL.square().sum(1) / own["length"].clamp_min(1))[:, None]
            return {"wave": (normal(x_BL) * power_B1.sqrt()).clamp(-1.0, 1.0) * there_BL}
        case SeriesReader():
            return {"x": normal(own["x"]) * own["mask"][:, None]}
        case VectorReader():
            return {"x": normal(own["x"])}
        case TextReader():
            ids = torch.randint(0, reader.vocabulary, own["ids"].shape, generator=draw)
            return {"ids": torch.where(own["mask"], ids.to(own["ids"].device), own["ids"])}
        case _:
            raise AssertionError(f"{reader.kind} has no noise")


def plain_noise(reader: Reader, x: Tensor, draw: torch.Generator) -> Tensor | None:
    """Cells of one plain column, (B,); None where noise has no form of its own."""
    match reader:
        case NumberReader():
            z_B = torch.randn(x.shape, generator=draw).to(x.device, x.dtype)
            return z_B / (1.0 + (z_B / KNEE) ** 2).sqrt()
        case CategoryReader():
            names = len(reader.names) + 1
            return torch.randint(0, names, x.shape, generator=draw).to(x.device, x.dtype)
        case _:
            return None

