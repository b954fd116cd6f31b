"""Sampled signals as patches of time, all channels in each."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from modalloy.model.canvases.canvas import MOST_PATCHES, Canvas, Patches
from modalloy.model.layers.gaussians import Range
from modalloy.readers.series import SeriesReader

LARGEST = 20.0  # standardised samples are cut here


class SeriesCanvas(Canvas):
    """Standardised samples, at most 64 patches of the longest row (PatchTST, Nie et al. 2023)."""

    span: ClassVar[Range] = Range(-LARGEST, LARGEST, 0.05)

    def __init__(self, reader: SeriesReader) -> None:
        self.channels = reader.channels
        self.length = reader.longest or reader.length
        self.steps = -(-self.length // MOST_PATCHES)
        self.patches = -(-self.length // self.steps)
        self.numbers = self.channels * self.steps

    def cut(self, values: Mapping[str, Tensor]) -> Patches:
        """Patches of time; samples after a row's end do not count, nor do those too late for it."""
        x_BCL, mask_BL = values["x"], values["mask"]
        missing = self.patches * self.steps - x_BCL.shape[2]
        x_BCL = F.pad(x_BCL, (0, missing)).clamp(-LARGEST, LARGEST)
        counts_BCL = F.pad(mask_BL, (0, missing))[:, None].expand_as(x_BCL)
        parts = [t.unflatten(2, (-1, self.steps)).transpose(1, 2) for t in (x_BCL, counts_BCL)]
        return Patches(*(t.flatten(2) for t in parts))

    def begun(self, values: Mapping[str, Tensor], seen_B: Tensor) -> dict[str, Tensor]:
        """Rows that end sooner."""
        at_L = torch.arange(values["x"].shape[2], device=seen_B.device)
        seen_BL = (at_L < seen_B[:, None] * self.steps) & values["mask"]
        return {**values, "x": values["x"] * seen_BL[:, None], "mask": seen_BL}

    def whole(self, x_NP: np.ndarray) -> np.ndarray:
        """Samples (C, L), standardised."""
        x_NCS = x_NP.reshape(len(x_NP), self.channels, self.steps)
        return x_NCS.transpose(1, 0, 2).reshape(self.channels, -1)[:, : self.length]
