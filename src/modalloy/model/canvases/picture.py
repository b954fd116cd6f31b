"""Pictures as square patches, line by line from the top, at most 32 pixels a side."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from modalloy.model.canvases.canvas import Canvas, Patches
from modalloy.model.layers.gaussians import Range
from modalloy.readers.image import ImageReader

MOST_SIDE = 32  # pixels: 64 patches
PATCH = 4  # pixels a side
HIDDEN = 127  # what a network of pictures takes for no light and no dark


class PictureCanvas(Canvas):
    """Pixels in [-1, 1], a picture smaller where it is large (ImageGPT, Chen et al. 2020)."""

    span: ClassVar[Range] = Range(-1.0, 1.0, 0.06)

    def __init__(self, reader: ImageReader) -> None:
        self.pixels, self.channels = reader.pixels, reader.channels
        self.side = min(reader.pixels, MOST_SIDE) // PATCH * PATCH
        self.cells = self.line = self.side // PATCH
        self.patches = self.cells**2
        self.numbers = self.channels * PATCH**2

    def cut(self, values: Mapping[str, Tensor]) -> Patches:
        """Rows of patches of a smaller picture; all exist."""
        small = F.adaptive_avg_pool2d(values["pixels"].float(), self.side).round() / 127.5 - 1.0
        grid = small.unflatten(3, (self.cells, PATCH)).unflatten(2, (self.cells, PATCH))
        x_BNP = grid.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        return Patches(x_BNP, torch.ones_like(x_BNP, dtype=torch.bool))

    def begun(self, values: Mapping[str, Tensor], seen_B: Tensor) -> dict[str, Tensor]:
        """Grey from the first patch on that is not seen, over every pixel that has a part in it."""
        hidden_BN = torch.arange(self.patches, device=seen_B.device) >= seen_B[:, None]
        hidden_BSS = hidden_BN.unflatten(1, (self.cells, self.cells)).float()
        hidden_BSS = hidden_BSS.repeat_interleave(PATCH, 1).repeat_interleave(PATCH, 2)
        covers_SP = self.covers().to(hidden_BSS)
        hidden_BPP = covers_SP.T @ hidden_BSS @ covers_SP > 0
        pixels = values["pixels"].masked_fill(hidden_BPP[:, None], HIDDEN)
        return {**values, "pixels": pixels}

    def covers(self) -> Tensor:
        """Which pixels of a picture's side each pixel of its smaller one is the mean of, (S, P)."""
        at_S = torch.arange(self.side)
        low_S = at_S * self.pixels // self.side
        high_S = -(-(at_S + 1) * self.pixels // self.side)
        at_P = torch.arange(self.pixels)
        return ((at_P >= low_S[:, None]) & (at_P < high_S[:, None])).float()

    def whole(self, x_NP: np.ndarray) -> np.ndarray:
        """Pixels (c, S, S) uint8."""
        grid = x_NP.reshape(self.cells, self.cells, self.channels, PATCH, PATCH)
        picture = grid.transpose(2, 0, 3, 1, 4).reshape(self.channels, self.side, self.side)
        return np.clip(np.rint((picture + 1.0) * 127.5), 0, 255).astype(np.uint8)

    def hidden(self, seen: int) -> np.ndarray:
        """Which pixels of the smaller picture lie beyond its first patches, (S, S)."""
        hidden_NN = np.arange(self.patches).reshape(self.cells, self.cells) >= seen
        return hidden_NN.repeat(PATCH, 0).repeat(PATCH, 1)

    def before(self) -> Tensor:
        """Those on the left, above, and above on the left and on the right."""
        at_N1 = torch.arange(self.patches)[:, None]
        y_NM = at_N1 // self.cells + torch.tensor([0, -1, -1, -1])
        x_NM = at_N1 % self.cells + torch.tensor([-1, 0, -1, 1])
        there_NM = (y_NM >= 0) & (x_NM >= 0) & (x_NM < self.cells)
        return torch.where(there_NM, y_NM * self.cells + x_NM, -1)
