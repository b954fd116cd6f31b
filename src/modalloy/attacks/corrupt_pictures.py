"""What befalls a camera: noise, blur, gain, offset, dead pixels, clipping and dirt on the lens."""

import torch
import torch.nn.functional as F
from torch import Tensor

NOISE = (0.04, 0.08, 0.12, 0.18, 0.26)  # deviation, of full brightness
BLUR = (0.01, 0.015, 0.02, 0.03, 0.045)  # deviation, of the picture's width
GAIN = (0.8, 0.65, 0.5, 0.4, 0.3)  # and one over it: darker or brighter by chance
OFFSET = (0.08, 0.14, 0.2, 0.28, 0.36)  # of full brightness, either way
DROPOUT = (0.01, 0.03, 0.08, 0.15, 0.3)  # share of dead pixels
CLIPPING = (0.9, 0.75, 0.6, 0.45, 0.3)  # share of the brightness range that is left, from below
DIRT = (1, 2, 4, 6, 9)  # blots
BLOT = 0.1  # radius of a blot, of the picture's width, on average


def corrupt(pixels_BCPP: Tensor, kind: str, severity: int, draw: torch.Generator) -> Tensor:
    """Pixels of 0 to 255 after one of them; of the type that they had."""
    x, at = pixels_BCPP.float(), severity - 1
    match kind:
        case "noise":
            x = x + 255 * NOISE[at] * normal(x.shape, draw).to(x)
        case "blur":
            x = blurred(x, BLUR[at] * x.shape[-1])
        case "gain":
            up_B = coin(len(x), draw)
            gain_B = torch.where(up_B, 1 / GAIN[at], GAIN[at]).to(x)
            x = x * gain_B[:, None, None, None]
        case "offset":
            side_B = coin(len(x), draw).float() * 2 - 1
            x = x + 255 * OFFSET[at] * side_B[:, None, None, None].to(x)
        case "dropout":
            dead = torch.rand(len(x), 1, *x.shape[2:], generator=draw) < DROPOUT[at]
            x = x.masked_fill(dead.to(x.device), 0.0)
        case "clipping":
            x = x.clamp_max(255 * CLIPPING[at])
        case "dirt":
            x = x * clean(len(x), x.shape[-1], DIRT[at], draw).to(x)
        case _:
            raise AssertionError(f"{kind} befalls no picture")
    x = x.clamp(0.0, 255.0)
    return x if pixels_BCPP.is_floating_point() else x.round().to(pixels_BCPP.dtype)


def blurred(x_BCPP: Tensor, deviation: float) -> Tensor:
    """A Gaussian blur, the edge repeated outwards."""
    reach = max(1, round(3 * deviation))
    at = torch.arange(-reach, reach + 1, dtype=torch.float32)
    weight = torch.exp(-0.5 * (at / max(deviation, 1e-3)) ** 2)
    weight = (weight / weight.sum()).to(x_BCPP)
    channels, reach = x_BCPP.shape[1], min(reach, x_BCPP.shape[-1] - 1)
    weight = weight[len(weight) // 2 - reach : len(weight) // 2 + reach + 1]
    weight = weight / weight.sum()
    across = weight.view(1, 1, 1, -1).expand(channels, -1, -1, -1)
    x = F.pad(x_BCPP, (reach, reach, reach, reach), mode="replicate")
    x = F.conv2d(x, across, groups=channels)
    return F.conv2d(x, across.transpose(2, 3), groups=channels)


def clean(rows: int, side: int, blots: int, draw: torch.Generator) -> Tensor:
    """How much light passes dirt on the lens: soft blots that let a tenth through, (B, 1, P, P)."""
    at = (torch.arange(side) + 0.5) / side
    passed = torch.ones(rows, side, side)
    for _ in range(blots):
        middle_B2 = torch.rand(rows, 2, generator=draw)
        radius_B = BLOT * (0.5 + torch.rand(rows, generator=draw))
        down_BP = at[None] - middle_B2[:, :1]
        right_BP = at[None] - middle_B2[:, 1:]
        apart_BPP = (down_BP[:, :, None] ** 2 + right_BP[:, None] ** 2).sqrt()
        inside = torch.sigmoid((radius_B[:, None, None] - apart_BPP) * 60)
        passed = torch.minimum(passed, 1 - 0.9 * inside)
    return passed[:, None]


def normal(shape: torch.Size | tuple[int, ...], draw: torch.Generator) -> Tensor:
    """Standard normal numbers."""
    return torch.randn(shape, generator=draw)


def coin(rows: int, draw: torch.Generator) -> Tensor:
    """Yes or no for each row."""
    return torch.rand(rows, generator=draw) < 0.5
