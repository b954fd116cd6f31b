"""Fronts of random convolutions, each brought to the components in which training rows differ."""

from typing import Literal

import torch
from torch import Tensor, nn

from modalloy.model.layers.components import Components
from modalloy.model.trunks.hydra import Hydra
from modalloy.model.trunks.minirocket import MiniRocket
from modalloy.model.trunks.signal_features import extent

MOST_COMPONENTS = 512
FACTS = 2  # beside the components: a row's length and its share of gaps
ROWS_AT_ONCE = 8  # while fitting; as many as a frozen encoder sees together

Kind = Literal["minirocket", "hydra"]


class RandomConvolutions(nn.Module):
    """One of the fronts; fitted on training rows once, and never changed by learning.

    rows: training rows; of so many at most as many components are told apart.
    """

    def __init__(self, kind: Kind, channels: int, longest: int, rows: int) -> None:
        super().__init__()
        self.front = (MiniRocket if kind == "minirocket" else Hydra)(channels, longest)
        self.rank = min(MOST_COMPONENTS, max(1, rows - 1))
        self.components = Components(self.front.features, self.rank, sparse=kind == "hydra")

    @property
    def size(self) -> int:
        """Numbers that a row becomes."""
        return self.rank + FACTS

    def forward(self, x_BCL: Tensor, mask_BL: Tensor) -> Tensor:
        """Components, log of 1 + the number of samples, share of samples that are absent, (B, F).

        Absent samples within a row count as they are filled: on a line between their neighbours.
        """
        z_BR = self.components(self.front(x_BCL, mask_BL))
        end_B = extent(mask_BL).clamp_min(1).to(x_BCL.dtype)
        gaps_B = 1 - mask_BL.sum(1) / end_B
        return torch.cat([z_BR, torch.stack([end_B.log1p(), gaps_B], 1)], 1)

    @torch.no_grad()
    def fit(self, x_NCL: Tensor, mask_NL: Tensor, generator: torch.Generator) -> None:
        """Take biases and components from training rows."""
        if isinstance(self.front, MiniRocket):
            self.front.fit(x_NCL, mask_NL, generator)
        parts = zip(x_NCL.split(ROWS_AT_ONCE), mask_NL.split(ROWS_AT_ONCE), strict=True)
        self.components.fit(torch.cat([self.front(x, mask) for x, mask in parts]))
