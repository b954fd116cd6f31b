"""What befalls a sensor or microphone: noise, blur, gain, offset, gaps, clipping, skew, spikes.

A standardised series is treated in its channels' robust deviations, a recording in shares of its
own loudness; offsets and spikes of recordings are shares of full scale.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from modalloy.attacks.corrupt_pictures import coin, normal

NOISE = (0.1, 0.2, 0.4, 0.7, 1.0)  # deviations of the channel, or of the recording's own
BLUR = (3, 5, 9, 15, 25)  # samples averaged
GAIN = (0.9, 0.8, 0.65, 0.5, 0.3)  # and one over it, by chance for each channel
OFFSET = (0.2, 0.5, 1.0, 1.5, 2.5)  # deviations, either way for each channel
OFFSET_WAVE = (0.01, 0.03, 0.08, 0.15, 0.3)  # of full scale
DROPOUT = (0.05, 0.1, 0.2, 0.35, 0.5)  # share of a row in which the sensor is dead: one gap
CLIPPING = (0.8, 0.6, 0.45, 0.3, 0.2)  # of the row's own largest sample
SKEW = (0.01, 0.02, 0.05, 0.1, 0.2)  # the clock runs so much fast or slow
SPIKES = (0.002, 0.005, 0.01, 0.02, 0.05)  # share of samples that are spikes
SPIKE = 5.0  # deviations


def corrupt_series(
    held: Mapping[str, Tensor], kind: str, severity: int, draw: torch.Generator
) -> Tensor:
    """Samples (B, C, L) after one of them; zero beyond a row's samples, as they were read."""
    x_BCL, mask_BL = held["x"], held["mask"]
    size_B = mask_BL.sum(1)
    one = torch.ones(len(x_BCL), 1, 1).to(x_BCL)
    x_BCL = befallen(x_BCL, size_B, one, OFFSET[severity - 1], kind, severity, draw)
    return torch.where(mask_BL[:, None], x_BCL, 0.0)


def corrupt_wave(
    held: Mapping[str, Tensor], kind: str, severity: int, draw: torch.Generator
) -> Tensor:
    """Samples (B, L) after one of them; within full scale, zero beyond a recording's end."""
    wave_BL, length_B = held["wave"], held["length"]
    there_BL = torch.arange(wave_BL.shape[1], device=wave_BL.device) < length_B[:, None]
    count_B1 = length_B.clamp_min(1)[:, None]
    loud_B1 = ((wave_BL**2 * there_BL).sum(1, keepdim=True) / count_B1).sqrt()
    most_B1 = wave_BL.abs().amax(1, keepdim=True).clamp_min(1.0)
    given = (wave_BL[:, None], length_B, loud_B1[:, None], OFFSET_WAVE[severity - 1])
    wave_BL = befallen(*given, kind, severity, draw)[:, 0]
    return torch.where(there_BL, torch.maximum(torch.minimum(wave_BL, most_B1), -most_B1), 0.0)


def befallen(
    x_BCL: Tensor,
    size_B: Tensor,
    deviation_B11: Tensor,
    offset: float,
    kind: str,
    severity: int,
    draw: torch.Generator,
) -> Tensor:
    """Samples after one of them. size_B: how many are a row's own, from the start."""
    at, rows, channels = severity - 1, len(x_BCL), x_BCL.shape[1]
    match kind:
        case "noise":
            return x_BCL + NOISE[at] * deviation_B11 * normal(x_BCL.shape, draw).to(x_BCL)
        case "blur":
            return averaged(x_BCL, BLUR[at])
        case "gain":
            up_BC = coin(rows * channels, draw).view(rows, channels)
            gain_BC = torch.where(up_BC, 1 / GAIN[at], GAIN[at]).to(x_BCL)
            return x_BCL * gain_BC[..., None]
        case "offset":
            side_BC = coin(rows * channels, draw).view(rows, channels).float() * 2 - 1
            return x_BCL + offset * side_BC[..., None].to(x_BCL)
        case "dropout":
            long_B = (DROPOUT[at] * size_B).ceil()
            start_B = torch.rand(rows, generator=draw).to(x_BCL.device) * (size_B - long_B)
            place_L = torch.arange(x_BCL.shape[2], device=x_BCL.device)
            dead_BL = (place_L >= start_B[:, None]) & (place_L < (start_B + long_B)[:, None])
            return x_BCL.masked_fill(dead_BL[:, None], 0.0)
        case "clipping":
            most_BC1 = CLIPPING[at] * x_BCL.abs().amax(2, keepdim=True)
            return torch.maximum(torch.minimum(x_BCL, most_BC1), -most_BC1)
        case "clock_skew":
            fast_B = coin(rows, draw)
            rate_B = torch.where(fast_B, 1 + SKEW[at], 1 - SKEW[at]).to(x_BCL)
            return skewed(x_BCL, size_B, rate_B)
        case "dirt":
            hit = torch.rand(x_BCL.shape, generator=draw) < SPIKES[at]
            spike = (normal(x_BCL.shape, draw) * SPIKE).to(x_BCL) * deviation_B11
            return torch.where(hit.to(x_BCL.device), x_BCL + spike, x_BCL)
        case _:
            raise AssertionError(f"{kind} befalls no signal")


def averaged(x_BCL: Tensor, width: int) -> Tensor:
    """The mean of so many samples around each, the ends repeated outwards."""
    reach = width // 2
    padded = F.pad(x_BCL, (reach, reach), mode="replicate")
    return F.avg_pool1d(padded, width, stride=1)


def skewed(x_BCL: Tensor, size_B: Tensor, rate_B: Tensor) -> Tensor:
    """Samples read by a clock that runs so many times as fast, on straight lines between them.

    The end of a row stays where it is; before its first sample stands the first.
    """
    place_L = torch.arange(x_BCL.shape[2], device=x_BCL.device, dtype=x_BCL.dtype)
    last_B1 = (size_B - 1).clamp_min(0)[:, None].to(x_BCL.dtype)
    from_BL = (last_B1 - (last_B1 - place_L) * rate_B[:, None]).clamp_min(0.0)
    from_BL = torch.minimum(from_BL, last_B1)
    low_BL = from_BL.floor()
    share_B1L = (from_BL - low_BL)[:, None]
    low = low_BL.long()[:, None].expand_as(x_BCL)
    high = torch.minimum(low_BL + 1, last_B1).long()[:, None].expand_as(x_BCL)
    return x_BCL.gather(2, low) * (1 - share_B1L) + x_BCL.gather(2, high) * share_B1L
