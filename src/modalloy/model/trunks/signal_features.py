"""Fixed features of sampled signals - statistics, spectrum, envelope, order - as an expert plots
them.

Every front takes x_BCL (standardised samples) and mask_BL (True where a sample exists) and gives
(B, C, F). What the mask hides changes nothing, and neither do the other rows or their lengths.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from modalloy.model.trunks.fourier import inverse_size, line_pairs, power_lines
from modalloy.model.trunks.signal_sizes import (
    CELLS,
    CHANCE,
    FINE,
    FLOOR,
    GAUSSIAN,
    OCTAVES,
    RECENT,
    TOP_HZ,
    TOP_ORDER,
    WIDTH,
    bands,
    points_a_cell,
)


def statistics(x_BCL: Tensor, mask_BL: Tensor) -> Tensor:
    """Twelve numbers of each channel that say little twice, (B, C, 12): `TRENDS`, then shapes.

    Mean, change over the row, bend, log10 of the deviation from that trend, log10 of the root mean
    square; then of what deviates from the straight trend: least, most, last, skewness, kurtosis,
    crest factor, crossings of zero. Shapes are compressed, 0 for Gaussian noise, and drawn to 0 by
    n / (n + 100): from n = 30 samples they are mostly chance, which a network learns by heart.
    """
    weight_B1L = mask_BL[:, None].to(x_BCL.dtype)
    count_B1 = weight_B1L.sum(-1).clamp_min(1.0)
    mean_BC, _, _ = standardise(x_BCL, weight_B1L, count_B1)
    time_B1L = weight_B1L * trend_time(weight_B1L, count_B1)
    slope_BC, rest_BCL = leave_out((x_BCL - mean_BC[..., None]) * weight_B1L, time_B1L)
    bow_B1L = weight_B1L * (time_B1L**2 - (time_B1L**2).sum(-1, True) / count_B1[..., None])
    bend_BC, _ = leave_out(rest_BCL, bow_B1L)
    _, spread_BC, z_BCL = standardise(rest_BCL, weight_B1L, count_B1)
    square_BC = (x_BCL**2 * weight_B1L).sum(-1) / count_B1
    trends = [
        mean_BC,
        slope_BC,
        bend_BC,
        spread_BC.clamp_min(1e-3).log10(),
        square_BC.clamp_min(1e-6).log10() / 2,
    ]
    shrink_B11 = (count_B1 / (count_B1 + CHANCE))[..., None]
    return torch.cat([torch.stack(trends, -1), shapes(z_BCL, mask_BL) * shrink_B11], -1)


def recent(x_BCL: Tensor, mask_BL: Tensor) -> Tensor:
    """The statistics of the last quarter of each row, (B, C, 12): what has only just begun."""
    end_B1 = extent(mask_BL)[:, None]
    places_L = torch.arange(mask_BL.shape[1], device=mask_BL.device)
    start_B1 = end_B1 - (end_B1 + RECENT - 1) // RECENT
    return statistics(x_BCL, mask_BL & (places_L >= start_B1))


def shapes(z_BCL: Tensor, mask_BL: Tensor) -> Tensor:
    """Least, most, last, skewness, kurtosis, crest factor and crossings, (B, C, 7)."""
    count_B1 = mask_BL.sum(-1, keepdim=True).clamp_min(1).to(z_BCL.dtype)
    last_B11 = (extent(mask_BL) - 1).clamp_min(0)[:, None, None]
    least_BC, most_BC = z_BCL.amin(-1), z_BCL.amax(-1)
    above_BCL = z_BCL > 0
    both_B1L = (mask_BL[:, 1:] & mask_BL[:, :-1])[:, None]
    crossed_BCL = (above_BCL[..., 1:] != above_BCL[..., :-1]) & both_B1L
    usual_B1 = (2 * (count_B1 + 1).log()).sqrt().log1p()  # of the largest of n Gaussian numbers
    parts = [
        usual_B1 - least_BC.neg().log1p(),
        most_BC.log1p() - usual_B1,
        z_BCL.gather(-1, last_B11.expand(-1, z_BCL.shape[1], 1)).squeeze(-1),
        torch.asinh((z_BCL**3).sum(-1) / count_B1),
        ((z_BCL**4).sum(-1) / count_B1).clamp_min(1.0).log() - GAUSSIAN,
        z_BCL.abs().amax(-1).log1p() - usual_B1,
        crossed_BCL.sum(-1) / count_B1 - 0.5,
    ]
    return torch.stack(parts, -1)


def spectrum(x_BCL: Tensor, mask_BL: Tensor, segment: int) -> Tensor:
    """Log power in equal bands up to half the sampling rate (Welch 1967), and level, (B, C, F + 1).

    The mean of each row's log power is taken away, so that the shape does not depend on the
    amplitude; that stands alone in the last entry as log10 of the standard deviation.
    """
    segment = min(segment, FINE)
    count = bands(segment)
    frames = cut(x_BCL, mask_BL, segment)
    power_BCF = frame_power(frames.x_BCKn, frames.length_BK)[..., : count * (segment // 2 // count)]
    power_BCb = power_BCF.unflatten(-1, (count, -1)).mean(-1)
    log_BCb = floored_log(power_BCb, 1e-6)
    return torch.cat([log_BCb - log_BCb.mean(-1, keepdim=True), frames.level_BC[..., None]], -1)


def envelope(x_BCL: Tensor, mask_BL: Tensor, segment: int, rate_hz: float) -> Tensor:
    """Lines of the envelope spectrum between 0 Hz and 500 Hz (or a quarter of the rate), (B, C, F).

    See `envelope_power` and `lines`; independent of the amplitude and of which resonance rings.
    """
    frames = cut(x_BCL, mask_BL, segment)
    hz_Q = grid(segment / rate_hz, min(TOP_HZ, rate_hz / 4)).to(x_BCL)
    at_BQ = (hz_Q * segment / rate_hz).flatten().expand(x_BCL.shape[0], -1)
    return lines(envelope_power(frames), at_BQ, hz_Q.shape[1]).mean(2)


def order(
    x_BCL: Tensor, mask_BL: Tensor, segment: int, rate_hz: float, speed_hz_B: Tensor
) -> Tensor:
    """Lines of the spectrum and the envelope spectrum at 0 to 20 turns of the shaft, (B, C, 2 F).

    Zero where the speed is unknown (0 Hz) and for orders above what the sampling rate can tell.
    """
    frames = cut(x_BCL, mask_BL, segment)
    orders_Q = grid(8.0, TOP_ORDER).to(x_BCL)
    at_BQ = orders_Q.flatten() * (speed_hz_B[:, None] * segment / rate_hz)
    plain_BC1F = frame_power(frames.x_BCKn, frames.length_BK)[:, :, None]
    plain_BCq = lines(plain_BC1F, at_BQ, orders_Q.shape[1]).mean(2)
    envelope_BCq = lines(envelope_power(frames), at_BQ, orders_Q.shape[1]).mean(2)
    return torch.cat([plain_BCq, envelope_BCq], -1) * (speed_hz_B > 0)[:, None, None]


class Frames(NamedTuple):
    """Half-overlapping frames; length_BK: samples of a frame that exist, 0 for an unused one."""

    x_BCKn: Tensor
    length_BK: Tensor
    level_BC: Tensor  # log10 of the standard deviation


def cut(x_BCL: Tensor, mask_BL: Tensor, segment: int) -> Frames:
    """Frames of each standardised row; a last frame counts if more than half of it exists."""
    weight_B1L = mask_BL[:, None].to(x_BCL.dtype)
    count_B1 = weight_B1L.sum(-1).clamp_min(1.0)
    _, std_BC, z_BCL = standardise(x_BCL, weight_B1L, count_B1)
    end_B1 = extent(mask_BL)[:, None].to(x_BCL.dtype)
    hop = segment // 2
    length = z_BCL.shape[-1]
    if torch.compiler.is_exporting():  # a graph cannot choose by length; unused frames say nothing
        extra = (length + hop - 1) // hop * hop + segment - length
    else:
        extra = max(segment - length, 0) or -length % hop
    x_BCKn = F.pad(z_BCL, (0, extra)).unfold(-1, segment, hop)
    starts_K = torch.arange(x_BCKn.shape[2], device=x_BCL.device) * hop
    length_BK = (end_B1 - starts_K).clamp(0, segment)
    used_BK = (length_BK > hop) | (starts_K == 0)
    return Frames(x_BCKn, length_BK * used_BK, std_BC.clamp_min(1e-3).log10())


def trend_time(weight_B1L: Tensor, count_B1: Tensor) -> Tensor:
    """Time of each sample that exists, from -1/2 to 1/2 over the row."""
    return (weight_B1L.cumsum(-1) - 1) / (count_B1[..., None] - 1).clamp_min(1) - 0.5


def leave_out(x_BCL: Tensor, curve_B1L: Tensor) -> tuple[Tensor, Tensor]:
    """How much of a curve is in the samples (least squares), (B, C), and what is left of them."""
    energy_B11 = (curve_B1L**2).sum(-1, keepdim=True)
    amount_BC1 = (x_BCL * curve_B1L).sum(-1, keepdim=True) / energy_B11.clamp_min(1e-6)
    return amount_BC1.squeeze(-1), x_BCL - amount_BC1 * curve_B1L


def extent(mask_BL: Tensor) -> Tensor:
    """Number of samples up to the last one that exists, (B,) int64."""
    places_L = torch.arange(1, mask_BL.shape[1] + 1, device=mask_BL.device)
    return (mask_BL * places_L).amax(1)


def standardise(
    x_BCL: Tensor, weight_B1L: Tensor, count_B1: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and deviation of the samples that exist, and they standardised (zero elsewhere)."""
    mean_BC = (x_BCL * weight_B1L).sum(-1) / count_B1
    z_BCL = (x_BCL - mean_BC[..., None]) * weight_B1L
    std_BC = ((z_BCL**2).sum(-1) / count_B1).sqrt()
    # A dead channel has no shape; without this its rounding errors would be blown up to one.
    alive_BC = (std_BC > 1e-5 * (1 + mean_BC.abs())).to(x_BCL.dtype)
    return mean_BC, std_BC, z_BCL * (alive_BC / std_BC.clamp_min(1e-12))[..., None]


def hann(length_BK: Tensor, samples: int, step: float = 1.0) -> Tensor:
    """Hann window over the first `length` of samples that lie `step` apart, (B, 1, K, n)."""
    time_n = torch.arange(samples, device=length_BK.device) * step
    phase_BKn = time_n / length_BK[..., None].clamp_min(1.0)
    return torch.where(phase_BKn < 1, 0.5 - 0.5 * torch.cos(2 * torch.pi * phase_BKn), 0)[:, None]


def frame_power(x_BCKn: Tensor, length_BK: Tensor, step: float = 1.0) -> Tensor:
    """Power of windowed frames less their mean, averaged over the used ones, (B, C, n / 2 + 1)."""
    window_B1Kn = hann(length_BK, x_BCKn.shape[-1], step)
    total_B1K = window_B1Kn.sum(-1).clamp_min(1e-6)
    mean_BCK = (x_BCKn * window_B1Kn).sum(-1) / total_B1K
    windowed_BCKn = (x_BCKn - mean_BCK[..., None]) * window_B1Kn
    power_BCKF = power_lines(windowed_BCKn) / total_B1K[..., None] ** 2
    used_B1K1 = (length_BK > 0).to(x_BCKn.dtype)[:, None, :, None]
    return (power_BCKF * used_B1K1).sum(2) / used_B1K1.sum(2).clamp_min(1.0)


def envelope_power(frames: Frames) -> Tensor:
    """Power spectrum of each octave's relative envelope, (B, C, octaves, n / 4 + 1).

    Band-pass and Hilbert transform in one step: the octave's positive frequencies alone, moved to
    0 Hz, which leaves the magnitude as it is and needs half the samples. Bins are as wide as those
    of a frame's own spectrum. An octave's envelope is
    divided by its mean, so that each resonance counts alike (as in spectral whitening,
    Borghesani et al. 2013).
    """
    segment = frames.x_BCKn.shape[-1]
    spectrum_BCKF2 = line_pairs(frames.x_BCKn)
    powers = []
    for octave in range(OCTAVES):
        low, high = segment >> (octave + 2), segment >> (octave + 1)
        band_BCKF2 = spectrum_BCKF2[..., low:high, :]
        padded_BCKm2 = F.pad(band_BCKF2, (0, 0, 0, segment // 2 - (high - low)))
        envelope_BCKm = inverse_size(padded_BCKm2)
        exists_B1Km = hann(frames.length_BK, segment // 2, 2.0) > 0
        mean_BCK1 = (envelope_BCKm * exists_B1Km).sum(-1, True) / exists_B1Km.sum(
            -1, True
        ).clamp_min(1)
        relative_BCKm = envelope_BCKm / mean_BCK1.clamp_min(1e-9)
        powers.append(frame_power(relative_BCKm, frames.length_BK, 2.0))
    return torch.stack(powers, 2)


def grid(density: float, top: float) -> Tensor:
    """Points to look at, (cells, points a cell): `CELLS` equal cells up to `top`.

    density: resolution of the spectrum in points for one unit; a cell is looked at that finely.
    """
    points = points_a_cell(density, top)
    return (torch.arange(CELLS * points) + 0.5).reshape(CELLS, points) * (top / CELLS / points)


def lines(power_BCOF: Tensor, at_BQ: Tensor, points: int) -> Tensor:
    """How far lines stand out of their neighbourhood, as log power, (B, C, octaves, cells), >= 0.

    at_BQ: positions in bins, `points` of them for each cell, of which the highest counts.
    """
    last = power_BCOF.shape[-1] - 1
    inside_BQ = (at_BQ < last).to(power_BCOF.dtype)
    at_BQ = at_BQ.clamp(0.0, last - 1e-3)  # two floats: mixed kinds cannot become a graph
    index_BQ = at_BQ.floor().long()
    share_B11Q = (at_BQ - index_BQ)[:, None, None]
    shape = (*power_BCOF.shape[:3], -1)
    below = power_BCOF.gather(-1, index_BQ[:, None, None].expand(shape))
    above = power_BCOF.gather(-1, (index_BQ + 1)[:, None, None].expand(shape))
    power_BCOQ = (below * (1 - share_B11Q) + above * share_B11Q) * inside_BQ[:, None, None]
    log_BCOq = floored_log(power_BCOQ.unflatten(-1, (-1, points)).amax(-1), FLOOR)
    flat = F.pad(log_BCOq.flatten(1, 2), (WIDTH // 2, WIDTH // 2), mode="reflect")
    return (log_BCOq - F.avg_pool1d(flat, WIDTH, 1).reshape(log_BCOq.shape)).clamp_min(0)


def floored_log(power: Tensor, floor: float) -> Tensor:
    """Logarithm that does not tell powers apart below a share of their mean."""
    return (power + floor * power.mean(-1, keepdim=True) + 1e-12).log()
