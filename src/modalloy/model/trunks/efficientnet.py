"""EfficientNet-lite in plain torch: feature maps at strides 4, 8, 16 and 32.

Tan & Le 2019 (arXiv 1905.11946) without squeeze-excite and with ReLU6, as published by Google in
2020; the weights are ports from TensorFlow, hence its uneven padding and its epsilon.
"""

from collections.abc import Mapping
from math import ceil
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-3
HEAD = 1280  # channels of the last map, at stride 32

# kernel, stride, expansion, channels, repeats of each stage of lite0
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
SCALES = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}  # width, depth


class Maps(NamedTuple):
    """What leaves the network: four maps, finest first, and the head's map at stride 32."""

    maps: tuple[Tensor, ...]  # (B, C_i, H / 4, W / 4) to (B, C_i, H / 32, W / 32)
    head_BFHW: Tensor  # (B, 1280, H / 32, W / 32)


class EfficientNetLite(nn.Module):
    """EfficientNet-lite0, 1 or 2 without its classifier: 3.4, 4.1 or 4.8 M parameters."""

    def __init__(self, variant: int) -> None:
        super().__init__()
        wide, deep = SCALES[variant]
        self.stem = ConvNorm(3, 32, 3, stride=2)
        blocks: list[InvertedResidual] = []
        inside, taps = 32, {}
        for i, (kernel, stride, expand, channels, repeats) in enumerate(STAGES):
            outside = round_channels(channels * wide)
            # The lite family leaves the depth of the first and last stage as it is.
            count = repeats if i in (0, len(STAGES) - 1) else ceil(repeats * deep)
            for j in range(count):
                blocks.append(
                    InvertedResidual(inside, outside, kernel, stride if j == 0 else 1, expand)
                )
                inside = outside
            taps[i] = (len(blocks) - 1, outside)
        self.blocks = nn.ModuleList(blocks)
        self.head = ConvNorm(inside, HEAD, 1)
        kept = [taps[i] for i in (1, 2, 4, 6)]  # the last stage at each stride
        self.taps = tuple(at for at, _ in kept)
        self.map_channels = tuple(channels for _, channels in kept)

    def forward(self, x_BCHW: Tensor) -> Maps:
        """Maps of pictures whose values are (pixel - 127) / 128."""
        x = self.stem(x_BCHW)
        maps = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in self.taps:
                maps.append(x)
        return Maps(tuple(maps), self.head(x))

    def load(self, weights: Mapping[str, Tensor]) -> Tensor:
        """Fill all weights by order (the file names them otherwise).

        Gives its classifier (1000, 1281), the bias last.
        """
        *trunk, weight, bias = (v for k, v in weights.items() if not k.endswith("_tracked"))
        own = {k: v for k, v in self.state_dict().items() if not k.endswith("_tracked")}
        self.load_state_dict(dict(zip(own, trunk, strict=True)), strict=False)
        return torch.cat([weight, bias[:, None]], dim=1)


class InvertedResidual(nn.Module):
    """Inverted residual: widen, filter each channel alone, narrow; input added where it fits."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        middle = inside * expand
        self.expand = ConvNorm(inside, middle, 1) if expand > 1 else None
        self.depthwise = ConvNorm(middle, middle, kernel, stride=stride, groups=middle)
        self.project = ConvNorm(middle, outside, 1, active=False)
        self.residual = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        """(B, inside, H, W) to (B, outside, ceil(H / stride), ceil(W / stride))."""
        y = x if self.expand is None else self.expand(x)
        y = self.project(self.depthwise(y))
        return x + y if self.residual else y


class ConvNorm(nn.Module):
    """Convolution with TensorFlow's `same` padding, batch norm and, where active, ReLU6."""

    def __init__(
        self,
        inside: int,
        outside: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        active: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outside, eps=EPSILON, momentum=0.01)
        self.kernel, self.stride, self.active = kernel, stride, active

    def forward(self, x: Tensor) -> Tensor:
        """The map after convolution, norm and activation."""
        kernel, stride = self.kernel, self.stride
        down, right = (max(0, (ceil(n / stride) - 1) * stride + kernel - n) for n in x.shape[2:])
        even = down == right and down % 2 == 0
        if even and type(self.conv) is nn.Conv2d:  # then it needs no copy of the map
            x = F.conv2d(x, self.conv.weight, None, stride, down // 2, 1, self.conv.groups)
        else:
            pad = (right // 2, right - right // 2, down // 2, down - down // 2)
            x = self.conv(F.pad(x, pad))
        x = self.norm(x)
        return F.relu6(x) if self.active else x


def round_channels(channels: float) -> int:
    """The nearest multiple of 8, never below 90 % of what was asked."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
