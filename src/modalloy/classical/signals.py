"""Fixed features of one sampled signal in numpy: the numbers of `model.trunks.signal_features`.

Every function takes x_CL (standardised samples) and mask_L (True where a sample exists) and gives
(C, F) float64. What the mask hides changes nothing.
"""

import numpy as np

from modalloy.model.trunks.signal_sizes import (
    CELLS,
    CHANCE,
    FINE,
    FLOOR,
    GAUSSIAN,
    OCTAVES,
    RECENT,
    TOP_HZ,
    WIDTH,
    bands,
    points_a_cell,
)


def statistics(x_CL: np.ndarray, mask_L: np.ndarray) -> np.ndarray:
    """Twelve numbers of each channel, five of its trend and seven of its shape, (C, 12)."""
    x_CL = np.where(mask_L, x_CL, 0.0).astype(np.float64)
    count = max(1, int(mask_L.sum()))
    mean_C = x_CL.sum(1) / count
    time_L = mask_L * ((mask_L.cumsum() - 1) / max(1, count - 1) - 0.5)
    slope_C, rest_CL = leave_out((x_CL - mean_C[:, None]) * mask_L, time_L)
    bow_L = mask_L * (time_L**2 - (time_L**2).sum() / count)
    bend_C, _ = leave_out(rest_CL, bow_L)
    spread_C, z_CL = standardise(rest_CL, mask_L, count)
    square_C = (x_CL**2).sum(1) / count
    trends = [
        mean_C,
        slope_C,
        bend_C,
        np.log10(np.maximum(spread_C, 1e-3)),
        np.log10(np.maximum(square_C, 1e-6)) / 2,
    ]
    shapes_CF = shapes(z_CL, mask_L) * (count / (count + CHANCE))
    return np.concatenate([np.stack(trends, 1), shapes_CF], 1)


def recent(x_CL: np.ndarray, mask_L: np.ndarray) -> np.ndarray:
    """The statistics of the last quarter of the row, (C, 12)."""
    end = extent(mask_L)
    start = end - (end + RECENT - 1) // RECENT
    return statistics(x_CL, mask_L & (np.arange(len(mask_L)) >= start))


def shapes(z_CL: np.ndarray, mask_L: np.ndarray) -> np.ndarray:
    """Least, most, last, skewness, kurtosis, crest factor and crossings, (C, 7)."""
    count = max(1, int(mask_L.sum()))
    above_CL = z_CL > 0
    crossed_CL = (above_CL[:, 1:] != above_CL[:, :-1]) & (mask_L[1:] & mask_L[:-1])
    usual = np.log1p(np.sqrt(2 * np.log(count + 1)))  # of the largest of n Gaussian numbers
    parts = [
        usual - np.log1p(-z_CL.min(1)),
        np.log1p(z_CL.max(1)) - usual,
        z_CL[:, max(0, extent(mask_L) - 1)],
        np.arcsinh((z_CL**3).sum(1) / count),
        np.log(np.maximum((z_CL**4).sum(1) / count, 1.0)) - GAUSSIAN,
        np.log1p(np.abs(z_CL).max(1)) - usual,
        crossed_CL.sum(1) / count - 0.5,
    ]
    return np.stack(parts, 1)


def spectrum(x_CL: np.ndarray, mask_L: np.ndarray, segment: int) -> np.ndarray:
    """Log power in equal bands up to half the sampling rate, and level, (C, F + 1)."""
    segment = min(segment, FINE)
    count = bands(segment)
    x_CKn, length_K, level_C = cut(x_CL, mask_L, segment)
    power_CF = frame_power(x_CKn, length_K)[:, : count * (segment // 2 // count)]
    log_Cb = floored_log(power_CF.reshape(len(x_CL), count, -1).mean(-1), 1e-6)
    return np.concatenate([log_Cb - log_Cb.mean(1, keepdims=True), level_C[:, None]], 1)


def envelope(x_CL: np.ndarray, mask_L: np.ndarray, segment: int, rate_hz: float) -> np.ndarray:
    """Lines of the envelope spectrum between 0 Hz and 500 Hz (or a quarter of the rate), (C, F)."""
    x_CKn, length_K, _ = cut(x_CL, mask_L, segment)
    top_hz = min(TOP_HZ, rate_hz / 4)
    points = points_a_cell(segment / rate_hz, top_hz)
    # Single precision, as torch has it: where a point lies must not differ.
    hz_Q = (np.arange(CELLS * points, dtype=np.float32) + 0.5) * (top_hz / CELLS / points)
    return lines(envelope_power(x_CKn, length_K), hz_Q * segment / rate_hz, points).mean(1)


def cut(
    x_CL: np.ndarray, mask_L: np.ndarray, segment: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Half-overlapping frames (C, K, n) of the standardised row, how many samples of each exist
    (K,), and log10 of the deviation (C,). A last frame counts if more than half of it exists.
    """
    count = max(1, int(mask_L.sum()))
    x_CL = np.where(mask_L, x_CL, 0.0).astype(np.float64)
    spread_C, z_CL = standardise(x_CL, mask_L, count)
    hop = segment // 2
    extra = max(segment - z_CL.shape[1], 0) or -z_CL.shape[1] % hop
    padded_CL = np.pad(z_CL, ((0, 0), (0, extra)))
    x_CKn = np.lib.stride_tricks.sliding_window_view(padded_CL, segment, axis=1)[:, ::hop]
    start_K = np.arange(x_CKn.shape[1]) * hop
    length_K = np.clip(extent(mask_L) - start_K, 0, segment)
    used_K = (length_K > hop) | (start_K == 0)
    return x_CKn, length_K * used_K, np.log10(np.maximum(spread_C, 1e-3))


def standardise(x_CL: np.ndarray, mask_L: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Deviation of the samples that exist, and they standardised (zero elsewhere)."""
    mean_C = x_CL.sum(1) / count
    z_CL = (x_CL - mean_C[:, None]) * mask_L
    spread_C = np.sqrt((z_CL**2).sum(1) / count)
    alive_C = spread_C > 1e-5 * (1 + np.abs(mean_C))  # a dead channel has no shape
    return spread_C, z_CL * (alive_C / np.maximum(spread_C, 1e-12))[:, None]


def leave_out(x_CL: np.ndarray, curve_L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much of a curve is in the samples (least squares), (C,), and what is left of them."""
    amount_C = x_CL @ curve_L / max((curve_L**2).sum(), 1e-6)
    return amount_C, x_CL - amount_C[:, None] * curve_L


def extent(mask_L: np.ndarray) -> int:
    """Number of samples up to the last one that exists."""
    there = np.flatnonzero(mask_L)
    return int(there[-1]) + 1 if len(there) else 0


def hann(length_K: np.ndarray, samples: int, step: float = 1.0) -> np.ndarray:
    """Hann window over the first `length` of samples that lie `step` apart, (K, n)."""
    phase_Kn = np.arange(samples) * step / np.maximum(length_K, 1.0)[:, None]
    return np.where(phase_Kn < 1, 0.5 - 0.5 * np.cos(2 * np.pi * phase_Kn), 0.0)


def frame_power(x_CKn: np.ndarray, length_K: np.ndarray, step: float = 1.0) -> np.ndarray:
    """Power of windowed frames less their mean, averaged over the used ones, (C, n / 2 + 1)."""
    window_Kn = hann(length_K, x_CKn.shape[-1], step)
    total_K = np.maximum(window_Kn.sum(1), 1e-6)
    mean_CK = (x_CKn * window_Kn).sum(-1) / total_K
    windowed_CKn = (x_CKn - mean_CK[..., None]) * window_Kn
    power_CKF = np.abs(np.fft.rfft(windowed_CKn)) ** 2 / total_K[:, None] ** 2
    used_K = length_K > 0
    return (power_CKF * used_K[:, None]).sum(1) / max(1, used_K.sum())


def envelope_power(x_CKn: np.ndarray, length_K: np.ndarray) -> np.ndarray:
    """Power spectrum of each octave's relative envelope, (C, octaves, n / 4 + 1)."""
    segment = x_CKn.shape[-1]
    spectrum_CKF = np.fft.rfft(x_CKn)
    exists_Km = hann(length_K, segment // 2, 2.0) > 0
    powers = []
    for octave in range(OCTAVES):
        low, high = segment >> (octave + 2), segment >> (octave + 1)
        envelope_CKm = np.abs(np.fft.ifft(spectrum_CKF[..., low:high], segment // 2))
        mean_CK = (envelope_CKm * exists_Km).sum(-1) / np.maximum(1, exists_Km.sum(1))
        relative_CKm = envelope_CKm / np.maximum(mean_CK, 1e-9)[..., None]
        powers.append(frame_power(relative_CKm, length_K, 2.0))
    return np.stack(powers, 1)


def lines(power_COF: np.ndarray, at_Q: np.ndarray, points: int) -> np.ndarray:
    """How far lines stand out of their neighbourhood, as log power, (C, octaves, cells), >= 0.

    at_Q: positions in bins, `points` of them for each cell, of which the highest counts.
    """
    last = power_COF.shape[-1] - 1
    inside_Q = at_Q < last
    at_Q = np.clip(at_Q, 0.0, np.float32(last - 1e-3))
    index_Q = at_Q.astype(np.int64)
    share_Q = at_Q - index_Q
    between_COQ = power_COF[..., index_Q] * (1 - share_Q) + power_COF[..., index_Q + 1] * share_Q
    cells_COqp = (between_COQ * inside_Q).reshape(*power_COF.shape[:2], -1, points)
    log_COq = floored_log(cells_COqp.max(-1), FLOOR)
    ends = ((0, 0), (0, 0), (WIDTH // 2, WIDTH // 2))
    wide_COq = np.pad(log_COq, ends, mode="reflect")
    around_COqw = np.lib.stride_tricks.sliding_window_view(wide_COq, WIDTH, axis=-1)
    return np.maximum(log_COq - around_COqw.mean(-1), 0.0)


def floored_log(power: np.ndarray, floor: float) -> np.ndarray:
    """Logarithm that does not tell powers apart below a share of their mean."""
    return np.log(power + floor * power.mean(-1, keepdims=True) + 1e-12)
