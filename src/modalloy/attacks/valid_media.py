"""Valid changes of pictures, recordings, series, lists, and of the vectors of a text."""

import torch
from torch import Tensor

from modalloy.attacks.budget import Budget, brightness
from modalloy.attacks.valid import Valid, Values
from modalloy.model.encoders.text import TextEncoder
from modalloy.readers.series import LARGEST as LARGEST_SAMPLE
from modalloy.readers.series import SeriesReader
from modalloy.readers.vector import LARGEST as LARGEST_ENTRY
from modalloy.readers.vector import VectorReader


class Picture(Valid):
    """Pixels of 0 to 255; handed over in whole steps."""

    def __init__(self, budget: Budget, values: dict[str, Tensor], present_B: Tensor) -> None:
        self.size, self.pixels = brightness(budget), values["pixels"]
        x = self.pixels.float()
        super().__init__(budget.column, -x / self.size, (255.0 - x) / self.size, present_B)

    def put(self, values: Values, u_BS: Tensor, *, handed: bool) -> None:
        """`pixels`."""
        add = self.shaped(u_BS) * self.size
        if handed and not self.pixels.is_floating_point():
            most = float(int(self.size))
            moved = (self.pixels.float() + add.round().clamp(-most, most)).clamp(0.0, 255.0)
            values[self.column]["pixels"] = moved.to(self.pixels.dtype)
        else:
            values[self.column]["pixels"] = self.pixels.float() + add


class Wave(Valid):
    """Samples of a recording, within full scale."""

    def __init__(self, budget: Budget, values: dict[str, Tensor], present_B: Tensor) -> None:
        self.size = 10 ** (budget.size / 20) if budget.unit == "dBFS" else budget.size / 100
        self.wave_BL = values["wave"]
        there_BL = torch.arange(self.wave_BL.shape[1], device=self.wave_BL.device)
        there_BL = there_BL < values["length"][:, None]
        most_B1 = self.wave_BL.abs().amax(1, keepdim=True).clamp_min(1.0)
        low, high = (-most_B1 - self.wave_BL) / self.size, (most_B1 - self.wave_BL) / self.size
        super().__init__(budget.column, low * there_BL, high * there_BL, present_B)

    def put(self, values: Values, u_BS: Tensor, *, handed: bool) -> None:
        """`wave`."""
        values[self.column]["wave"] = self.wave_BL + u_BS * self.size


class Samples(Valid):
    """Samples of each channel, in the sensor's unit or in deviations of the channel."""

    def __init__(
        self, budget: Budget, values: dict[str, Tensor], present_B: Tensor, reader: SeriesReader
    ) -> None:
        self.x_BCL = values["x"]
        scale_C = self.x_BCL.new_tensor(reader.scale)
        sizes_C = budget.size / scale_C if budget.unit != "sd" else scale_C * 0 + budget.size
        self.size_C1 = sizes_C[:, None]
        there_B1L = values["mask"][:, None, :]
        low = (-LARGEST_SAMPLE - self.x_BCL) / self.size_C1
        high = (LARGEST_SAMPLE - self.x_BCL) / self.size_C1
        super().__init__(budget.column, low * there_B1L, high * there_B1L, present_B)

    def put(self, values: Values, u_BS: Tensor, *, handed: bool) -> None:
        """`x`."""
        values[self.column]["x"] = self.x_BCL + self.shaped(u_BS) * self.size_C1


class Entries(Valid):
    """Entries of a list, in their own unit or in deviations of each."""

    def __init__(
        self, budget: Budget, values: dict[str, Tensor], present_B: Tensor, reader: VectorReader
    ) -> None:
        self.x_BF = values["x"]
        scale_F = self.x_BF.new_tensor(reader.scale)
        self.size_F = budget.size / scale_F if budget.unit != "sd" else scale_F * 0 + budget.size
        low, high = (-LARGEST_ENTRY - self.x_BF), (LARGEST_ENTRY - self.x_BF)
        super().__init__(budget.column, low / self.size_F, high / self.size_F, present_B)

    def put(self, values: Values, u_BS: Tensor, *, handed: bool) -> None:
        """`x`."""
        values[self.column]["x"] = self.x_BF + u_BS * self.size_F


class Vectors(Valid):
    """Vectors of a text's pieces, before any block: all of a row within one ball.

    Its radius is the budget times the usual length of a piece's vector times the root of the number
    of pieces, so that each piece moves by that share of its length where all move alike.
    """

    ball = True

    def __init__(
        self,
        budget: Budget,
        values: dict[str, Tensor],
        present_B: Tensor,
        encoder: TextEncoder,
    ) -> None:
        mask_BL, vectors_VF = values["mask"], encoder.pieces.weight.detach()
        usual = vectors_VF.norm(dim=1).mean()
        self.radius_B = budget.size * usual * mask_BL.sum(1).clamp_min(1).sqrt()
        most_BLF = mask_BL[..., None].expand(-1, -1, vectors_VF.shape[1]).to(vectors_VF.dtype)
        super().__init__(budget.column, -most_BLF, most_BLF, present_B)

    def put(self, values: Values, u_BS: Tensor, *, handed: bool) -> None:
        """`moved`."""
        values[self.column]["moved"] = self.shaped(u_BS * self.radius_B[:, None])
