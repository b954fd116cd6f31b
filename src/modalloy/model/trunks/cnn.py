"""Convolutional networks trained from scratch, for pictures and spectrograms."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from modalloy.model.trunks.logmel import every_nth


class Cnn(nn.Module):
    """A stem, then stages that halve the map and end in residual blocks.

    He et al. 2016 (arXiv 1512.03385).
    inside: channels of the input. stem: its channels after the stem, whose stride is `stride`.
    widths, blocks: channels and number of blocks of each stage.
    """

    def __init__(
        self,
        inside: int,
        stem: int,
        widths: Sequence[int],
        blocks: Sequence[int],
        *,
        stride: int = 2,
    ) -> None:
        super().__init__()
        self.stem = ConvNorm(inside, stem, stride)
        before = [stem, *widths[:-1]]
        self.stages = nn.ModuleList(
            Stage(a, b, n) for a, b, n in zip(before, widths, blocks, strict=True)
        )

    def forward(self, x_BCHW: Tensor, mask_BW: Tensor | None = None) -> list[Tensor]:
        """Maps of all stages, finest first.

        mask_BW: columns that exist, the first ones of each row (time runs from left to right); the
        others are kept at zero at every depth, so that a short recording has the same maps beside
        a long one.
        """
        mask_BW, x = self.stem(x_BCHW, mask_BW)
        maps = []
        for stage in self.stages:
            mask_BW, x = stage(x, mask_BW)
            maps.append(x)
        return maps


class Stage(nn.Module):
    """Half the map, then residual blocks."""

    def __init__(self, inside: int, outside: int, blocks: int) -> None:
        super().__init__()
        self.down = ConvNorm(inside, outside, 2)
        self.first = nn.ModuleList(ConvNorm(outside, outside, 1) for _ in range(blocks))
        second = [ConvNorm(outside, outside, 1, active=False) for _ in range(blocks)]
        self.second = nn.ModuleList(second)
        for last in second:  # a block starts small: 0 learns shapes slower, 1 overfits sooner
            nn.init.constant_(last.norm.weight, 0.3)

    def forward(self, x: Tensor, mask_BW: Tensor | None) -> tuple[Tensor | None, Tensor]:
        """(B, inside, H, W) to (B, outside, ceil(H / 2), ceil(W / 2)); first the halved mask."""
        mask_BW, x = self.down(x, mask_BW)
        for first, second in zip(self.first, self.second, strict=True):
            x = F.relu(x + second(first(x, mask_BW)[1], mask_BW)[1])
        return mask_BW, x


class ConvNorm(nn.Module):
    """A 3 x 3 convolution, batch norm and, where active, ReLU."""

    def __init__(self, inside: int, outside: int, stride: int, *, active: bool = True) -> None:
        super().__init__()
        self.stride, self.active = stride, active
        self.conv = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(outside)

    def forward(self, x: Tensor, mask_BW: Tensor | None) -> tuple[Tensor | None, Tensor]:
        """The map, zero where the mask of its columns (given first) is False."""
        x = self.norm(self.conv(x))
        x = F.relu(x) if self.active else x
        if mask_BW is None:
            return None, x
        if self.stride > 1:
            mask_BW = every_nth(mask_BW, self.stride, x.shape[3])
        return mask_BW, x * mask_BW[:, None, None].to(x.dtype)
