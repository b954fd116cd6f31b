"""What a frozen encoder says of each row: kept on disk, or made anew where there was no room."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from modalloy.model.cache import Arrays, Cache
from modalloy.model.encoders.encoder import Encoder


class FrozenFeatures:
    """The features of one input, at most `budget_gb` of them on disk.

    Each row's arrays hold `present` (1,) beside the features; rows without the input have zeros.
    """

    def __init__(self, encoder: Encoder, budget_gb: float) -> None:
        self.encoder, self.kept = encoder, Cache(budget_gb)
        self.blank: Arrays | None = None  # of a row without the input; None before any was seen

    def get(self, row: int) -> Arrays | None:
        """The arrays of a row, or None where they were not kept."""
        return self.kept.get(row)

    @torch.no_grad()
    def make(self, values: Mapping[str, Tensor], present_B: Tensor) -> list[Arrays | None]:
        """The arrays of each of these rows; None for one without the input while none was seen."""
        at = present_B.nonzero().squeeze(1)
        device = next(self.encoder.parameters()).device
        made: list[Arrays | None] = [self.blank] * len(present_B)
        if len(at):
            features = self.encoder.features({k: v[at].to(device) for k, v in values.items()})
            arrays = {k: v.cpu().numpy() for k, v in features.items()}
            for k, i in enumerate(at.tolist()):
                made[i] = {**{n: a[k] for n, a in arrays.items()}, "present": np.ones(1, bool)}
            if self.blank is None:
                first = made[int(at[0])] or {}
                self.blank = {n: np.zeros_like(a) for n, a in first.items()}
                made = [self.blank if m is None else m for m in made]
        return made

    def keep(self, row: int, arrays: Arrays) -> None:
        """Keep the arrays of a row if there is room."""
        self.kept.put(row, arrays)

    def repeat(self, row: int, earlier: int) -> None:
        """Let a row have what an earlier one has."""
        self.kept.repeat(row, earlier)
