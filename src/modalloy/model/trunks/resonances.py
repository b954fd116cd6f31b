"""The lowest resonances of a struck body: frequency, level and sharpness of each.

Peak picking, as in experimental modal analysis (Ewins 2000, Modal Testing, chapter 4).
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from modalloy.media.resonance_sizes import (
    BEND,
    DEPTH,
    FLOOR,
    HALF,
    NOISE,
    PERIODS,
    REFERENCE_HZ,
    SILENT,
    STANDS,
    lines_for,
    reaches,
)
from modalloy.model.trunks.fourier import power_lines
from modalloy.model.trunks.logmel import in_length


class Spectrum(NamedTuple):
    """Level of each line in dB, the strongest 0, (B, F).

    first_B1: the lowest line that counts. span_B1: lines to either side that a top is told by, a
    quarter of what rows of this length tell apart. sounds_B1: whether anything is heard.
    """

    level_BF: Tensor
    first_B1: Tensor
    span_B1: Tensor
    sounds_B1: Tensor


def resonances(
    wave_BL: Tensor, length_B: Tensor, *, rate_hz: int, longest: int, count: int
) -> tuple[Tensor, Tensor]:
    """Of so many lowest resonances of each row logarithm of the frequency (1 kHz is 0), level
    below the strongest line in tens of dB and logarithm of the quality factor, (B, K, 3); and
    whether there is such a one, (B, K). Where not, the numbers are 0.

    longest: samples of the longest recording that a column allows, by which lines are as fine for
    every batch. Frequencies lie between lines, at the top of a parabola through three levels. The
    quality factor is that of a resonance as sharp as the parabola; what is looked at is short, so
    it ends at what that can tell.
    """
    with torch.autocast(wave_BL.device.type, enabled=False):  # powers span more than bfloat16
        samples = lines_for(longest)
        spectrum = spectrum_of(wave_BL.float(), length_B, samples)
        at_BK, there_BK = lowest(peaks(spectrum, reaches(samples)), count)
        span_B1, last = spectrum.span_B1, spectrum.level_BF.shape[1] - 1
        below_BK, top_BK, above_BK = (
            spectrum.level_BF.gather(1, (at_BK + step * span_B1).clamp(0, last))
            for step in (-1, 0, 1)
        )
        bend_BK = (2 * top_BK - below_BK - above_BK).clamp_min(1e-6)
        aside_BK = ((above_BK - below_BK) / (2 * bend_BK)).clamp(-0.5, 0.5)
        line_BK = at_BK + aside_BK * span_B1
        facts = [
            (line_BK * (rate_hz / samples / REFERENCE_HZ)).log(),
            (top_BK + (above_BK - below_BK) * aside_BK / 4) / 10,
            (line_BK / span_B1 * (bend_BK / BEND).sqrt() / 2).log(),
        ]
        return torch.stack(facts, -1) * there_BK[..., None], there_BK


def spectrum_of(wave_BL: Tensor, length_B: Tensor, samples: int) -> Spectrum:
    """From the stroke on, by a window that falls as a squared cosine to 0 at the recording's end.

    A window that also rises would hide what rings shortest.
    """
    own_BL = in_length(length_B, wave_BL.shape[1])
    count_B1 = length_B[:, None].clamp_min(1)
    wave_BL = wave_BL * own_BL
    wave_BL = (wave_BL - wave_BL.sum(1, keepdim=True) / count_B1) * own_BL
    size_BL = wave_BL.abs()
    places_L = torch.arange(wave_BL.shape[1], device=wave_BL.device)
    loud_BL = size_BL >= HALF * size_BL.amax(1, keepdim=True)
    start_B1 = torch.where(loud_BL, places_L, wave_BL.shape[1] - 1).amin(1, keepdim=True)
    ago_N = torch.arange(samples // 2, device=wave_BL.device)
    left_B1 = (count_B1 - start_B1).clamp(1, samples // 2)
    at_BN = (start_B1 + ago_N).clamp_max(wave_BL.shape[1] - 1)
    window_BN = torch.cos(ago_N / left_B1 * (torch.pi / 2)).square() * (ago_N < left_B1)
    rung_BN = F.pad(wave_BL.gather(1, at_BN) * window_BN, (0, samples // 2))
    power_BF = power_lines(rung_BN)[:, : samples // 2]
    strongest_B1 = power_BF.amax(1, keepdim=True)
    level_BF = 10 * (power_BF / strongest_B1.clamp_min(SILENT) + FLOOR).log10()
    first_B1 = (PERIODS * samples) / left_B1
    span_B1 = (samples / (4.0 * left_B1)).floor().clamp_min(1.0).long()
    return Spectrum(level_BF, first_B1, span_B1, strongest_B1 > SILENT)


def peaks(spectrum: Spectrum, over: list[int]) -> Tensor:
    """Which lines are resonances, (B, F): they tower over noise and are hardly weaker than the
    strongest, and over some reach none is higher and the spectrum falls to both sides.
    """
    level_BF = spectrum.level_BF
    lines_F = torch.arange(level_BF.shape[1], device=level_BF.device)
    stands_BF = torch.zeros_like(level_BF, dtype=torch.bool)
    low = high = Sides(level_BF, level_BF)
    reach = 0
    for wider in over:
        while reach < wider:
            step = max(1, min(reach, wider - reach))
            low, high = low.widened(torch.minimum, step), high.widened(torch.maximum, step)
            reach += step
        falls_BF = level_BF - torch.maximum(*low) >= STANDS
        stands_BF = stands_BF | ((level_BF >= torch.maximum(*high)) & falls_BF)
    loud_BF = level_BF >= torch.clamp_min(level_BF.mean(1, keepdim=True) + NOISE, -DEPTH)
    inside_BF = (lines_F >= spectrum.first_B1.clamp_min(1)) & (lines_F < level_BF.shape[1] - 1)
    first_BF = level_BF > moved(level_BF, -1, -torch.inf)  # of lines alike
    return stands_BF & loud_BF & inside_BF & first_BF & spectrum.sounds_B1


class Sides(NamedTuple):
    """Of each line the least or the most within some reach below it and above it, (B, F)."""

    below_BF: Tensor
    above_BF: Tensor

    def widened(self, which: Callable[[Tensor, Tensor], Tensor], step: int) -> "Sides":
        """The same within a reach that is `step` lines wider; at most twice as wide."""
        filled = torch.inf if which is torch.minimum else -torch.inf
        return Sides(
            which(self.below_BF, moved(self.below_BF, -step, filled)),
            which(self.above_BF, moved(self.above_BF, step, filled)),
        )


def moved(x_BF: Tensor, lines: int, filled: float) -> Tensor:
    """What each line finds so many lines above it (below it for negative numbers)."""
    if lines > 0:
        return F.pad(x_BF[:, lines:], (0, lines), value=filled)
    return F.pad(x_BF[:, :lines], (-lines, 0), value=filled)


def lowest(is_peak_BF: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Lines of the lowest peaks and whether there are as many, (B, K); 1 where not."""
    lines = is_peak_BF.shape[1]
    back_F = torch.arange(lines, 0, -1, device=is_peak_BF.device, dtype=torch.float32)
    back_BK = (is_peak_BF * back_F).topk(count, dim=1).values
    there_BK = back_BK > 0
    return torch.where(there_BK, lines - back_BK, 1.0).long(), there_BK
