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

from modalloy.attacks.budget import Budget
from modalloy.attacks.valid import Valid, valid_of
from modalloy.model.model import Model
from modalloy.model.tokens import Batch


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
