"""One lying sensor: a column whose cells say nothing of their row, noise or another row's cell."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, get_args

import torch
from torch import Tensor

from modalloy.attacks.valid_plain import put_column
from modalloy.model.tokens import Batch
from modalloy.readers.batch import TABLE
from modalloy.readers.build import TABULAR
from modalloy.readers.category import CategoryReader
from modalloy.readers.number import NumberReader
from modalloy.readers.reader import Reader
from modalloy.readers.text import TextReader

Lie = Literal["noise", "row"]
LIES: tuple[Lie, ...] = get_args(Lie)
DRAWN = {"image": "pixels", "audio": "wave", "series": "x", "vector": "x", "text": "ids"}


def lie(
    batch: Batch,
    readers: Mapping[str, Reader],
    column: str,
    how: Lie,
    *,
    draw: torch.Generator,
) -> Batch:
    """The rows with one column replaced wherever it is not missing.

    noise: pixels and pieces drawn evenly, samples and entries as loud as usual, a number or a name
    that training has seen, a date of another row. row: the cell of another row of the batch, by a
    ring through all that have one; a batch with one such row keeps it.
    """
    reader = readers[column]
    values = {i: dict(v) for i, v in batch.values.items()}
    if reader.kind in TABULAR:
        kinds = [[r.name for r in readers.values() if r.kind == k] for k in TABULAR]
        place = [n for names in kinds for n in names].index(column)
        own, here_B = (
            kinds[TABULAR.index(reader.kind)].index(column),
            batch.present[TABLE][:, place],
        )
        x = values[TABLE][reader.kind][:, own]
        fresh = x[others(here_B, draw)]
        if how == "noise" and reader.kind != "time":
            fresh = torch.where(here_B, drawn_cells(reader, x, draw), x)
        put_column(values[TABLE], reader.kind, own, fresh)
        return replace(batch, values=values)
    here_B = batch.present[column]
    if how == "row":
        ring_B = others(here_B, draw)
        values[column] = {k: v[ring_B] for k, v in values[column].items()}
        return replace(batch, values=values)
    name = DRAWN["text" if reader.kind == "tokens" else reader.kind]
    x = values[column][name]
    fresh = drawn_media(reader, values[column], x, draw)
    here = here_B.reshape(-1, *(1 for _ in x.shape[1:]))
    values[column][name] = torch.where(here, fresh, x)
    return replace(batch, values=values)


def others(here_B: Tensor, draw: torch.Generator) -> Tensor:
    """For each row the one whose cell it gets: the next in a random ring of those that have one."""
    at = here_B.nonzero()[:, 0]
    ring = at[torch.randperm(len(at), generator=draw).to(at.device)]
    found_B = torch.arange(len(here_B), device=here_B.device)
    found_B[ring] = ring.roll(1)
    return found_B


def drawn_cells(reader: Reader, x_B: Tensor, draw: torch.Generator) -> Tensor:
    """A number between the ends of training, evenly on the reader's scale, or any known name."""
    if isinstance(reader, CategoryReader):
        return torch.randint(1, len(reader.names) + 1, x_B.shape, generator=draw).to(x_B)
    assert isinstance(reader, NumberReader), "dates are taken from other rows"
    low, high = reader.edges[0], reader.edges[-1]
    return (low + (high - low) * torch.rand(x_B.shape, generator=draw)).to(x_B)


def drawn_media(
    reader: Reader, held: Mapping[str, Tensor], x: Tensor, draw: torch.Generator
) -> Tensor:
    """Cells of chance in the form of media cells, with their lengths."""
    match reader.kind:
        case "image":
            return (torch.rand(x.shape, generator=draw) * 255).round().to(x)
        case "audio":
            loud_B1 = x.square().mean(1, keepdim=True).sqrt()
            there_BL = torch.arange(x.shape[1], device=x.device) < held["length"][:, None]
            noise_BL = torch.randn(x.shape, generator=draw).to(x) * loud_B1
            return (noise_BL * there_BL).clamp(-1.0, 1.0)
        case "series":
            return torch.randn(x.shape, generator=draw).to(x) * held["mask"][:, None]
        case "vector":
            return torch.randn(x.shape, generator=draw).to(x)
        case _:
            assert isinstance(reader, TextReader), "every other kind has a case above"
            drawn = torch.randint(0, reader.vocabulary, x.shape, generator=draw).to(x)
            kept = held["shape"] == 0  # special pieces stay where they are
            return torch.where(kept | ~held["mask"], x, drawn)
