"""Moves of all attacked cells of a batch as one tensor, each number in units of its budget.

So an attack knows nothing of columns: it moves a tensor within a box whose sides are at most 1, or
within a ball of radius 1 for the vectors of a text. Letters beside those of `model/tokens.py`: M
numbers of a row that can be moved, S those of one column.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import torch
from torch import Tensor

from modalloy.attacks.budget import COUNTED, Budget
from modalloy.attacks.valid import Valid
from modalloy.attacks.valid_media import Entries, Picture, Samples, Vectors, Wave
from modalloy.attacks.valid_plain import Amount, Moment
from modalloy.errors import JobError
from modalloy.model.encoders.text import TextEncoder
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.readers.audio import AudioReader
from modalloy.readers.batch import TABLE
from modalloy.readers.build import TABULAR
from modalloy.readers.image import ImageReader
from modalloy.readers.number import NumberReader
from modalloy.readers.reader import Reader
from modalloy.readers.series import SeriesReader
from modalloy.readers.text import TextReader
from modalloy.readers.time import TimeReader
from modalloy.readers.vector import VectorReader


class Moves:
    """What may be done to the rows of one batch; columns that a budget counts in words or names
    have no part in it.
    """

    def __init__(self, batch: Batch, parts: Sequence[Valid]) -> None:
        self.given, self.parts = batch, list(parts)
        self.sizes = [p.low_BS.shape[1] for p in parts]
        device = next(iter(batch.present.values())).device
        none_B0 = torch.zeros(len(batch), 0, device=device)
        self.low_BM = torch.cat([none_B0, *(p.low_BS for p in parts)], 1)
        self.high_BM = torch.cat([none_B0, *(p.high_BS for p in parts)], 1)

    @classmethod
    def of(cls, model: Model, batch: Batch, budgets: Sequence[Budget]) -> Self:
        """The moves that these budgets allow."""
        found = (valid_of(model, batch, budget) for budget in budgets)
        return cls(batch, [part for part in found if part is not None])

    @property
    def any(self) -> bool:
        """Whether anything can be moved."""
        return bool((self.high_BM > self.low_BM).any())

    def zero(self) -> Tensor:
        """The rows as they are."""
        return torch.zeros_like(self.low_BM)

    def start(self, draw: torch.Generator) -> Tensor:
        """A move drawn from all of them, (B, M)."""
        share_BM = torch.rand(self.low_BM.shape, generator=draw).to(self.low_BM.device)
        u_BM = self.low_BM + share_BM * (self.high_BM - self.low_BM)
        return self.project(u_BM)

    def project(self, u_BM: Tensor) -> Tensor:
        """The nearest move that is allowed."""
        u_BM = torch.minimum(torch.maximum(u_BM, self.low_BM), self.high_BM)
        parts = zip(self.parts, u_BM.split(self.sizes, 1), strict=True)
        inside = [u / u.norm(dim=1, keepdim=True).clamp_min(1.0) if p.ball else u for p, u in parts]
        return torch.cat([u_BM[:, :0], *inside], 1)

    def steepest(self, slope_BM: Tensor) -> Tensor:
        """The way of length 1 in which a loss rises fastest: signs, of a ball the slope itself."""
        parts = zip(self.parts, slope_BM.split(self.sizes, 1), strict=True)
        ways = [
            g / g.norm(dim=1, keepdim=True).clamp_min(1e-12) if p.ball else g.sign()
            for p, g in parts
        ]
        return torch.cat([slope_BM[:, :0], *ways], 1)

    def batch(self, u_BM: Tensor, *, handed: bool = False) -> Batch:
        """The rows after a move, with a gradient; handed: as a sensor or a table would hold them,
        whole numbers whole, without one.
        """
        values = {i: dict(v) for i, v in self.given.values.items()}
        with torch.set_grad_enabled(torch.is_grad_enabled() and not handed):
            for part, u_BS in zip(self.parts, u_BM.split(self.sizes, 1), strict=True):
                part.put(values, u_BS, handed=handed)
        return replace(self.given, values=values)


def valid_of(model: Model, batch: Batch, budget: Budget) -> Valid | None:
    """What a budget allows in a batch; None for one that counts words or names.

    JobError where the batch holds what a frozen encoder said of the column, not its cells.
    """
    if budget.what in COUNTED or not budget.size:
        return None
    reader: Reader = model.readers[budget.column]
    if reader.kind in TABULAR:
        return tabular_of(model, batch, budget, reader)
    values, present_B = batch.values[budget.column], batch.present[budget.column]
    if "features" in values:
        raise JobError(
            f"columns.{budget.column}: the batch holds what its frozen encoder said, not its "
            "cells, which an attack changes; read it with a loader that keeps no features."
        )
    match reader:
        case ImageReader():
            return Picture(budget, values, present_B)
        case AudioReader():
            return Wave(budget, values, present_B)
        case SeriesReader():
            return Samples(budget, values, present_B, reader)
        case VectorReader():
            return Entries(budget, values, present_B, reader)
        case TextReader():
            encoder = model.encoder(budget.column)
            assert isinstance(encoder, TextEncoder)
            return Vectors(budget, values, present_B, encoder)
        case _:
            raise AssertionError(f"{reader.kind} has no moves")


def tabular_of(model: Model, batch: Batch, budget: Budget, reader: Reader) -> Valid:
    """What a budget allows in a number or time column."""
    kinds = [[r.name for r in model.readers.values() if r.kind == k] for k in TABULAR]
    place = [name for names in kinds for name in names].index(budget.column)
    own = next(names.index(budget.column) for names in kinds if budget.column in names)
    given, present_B = batch.values[TABLE], batch.present[TABLE][:, place]
    if isinstance(reader, NumberReader):
        return Amount(budget, given["number"][:, own], present_B, reader, own)
    assert isinstance(reader, TimeReader)
    return Moment(budget, given["time"][:, own], present_B, reader, own)
