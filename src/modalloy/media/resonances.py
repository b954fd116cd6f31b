"""The lowest resonances of one recording in numpy: the numbers of `model.trunks.resonances`."""

import numpy as np

from modalloy.media.resonance_sizes import (
    BEND,
    DEPTH,
    FACTS,
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


def resonances(x_L: np.ndarray, *, rate_hz: int, longest: int, count: int) -> np.ndarray:
    """Logarithm of the frequency (1 kHz is 0), level below the strongest line in tens of dB and
    logarithm of the quality factor of so many lowest resonances, (K, 3); NaN where there are fewer.

    longest: samples of the longest recording that the column allows.
    """
    samples = lines_for(longest)
    facts_K3 = np.full((count, FACTS), np.nan)
    power_F, left = power_of(x_L, samples)
    if power_F.max() <= SILENT:
        return facts_K3
    level_F = 10 * np.log10(power_F / power_F.max() + FLOOR)
    at_K = np.flatnonzero(peaks(level_F, reaches(samples)))
    at_K = at_K[at_K >= max(1.0, PERIODS * samples / left)][:count]
    span = max(1, samples // (4 * left))
    below_K, top_K, above_K = (
        level_F[np.clip(at_K + step, 0, len(level_F) - 1)] for step in (-span, 0, span)
    )
    bend_K = np.maximum(2 * top_K - below_K - above_K, 1e-6)
    aside_K = np.clip((above_K - below_K) / (2 * bend_K), -0.5, 0.5)
    line_K = at_K + aside_K * span
    facts_K3[: len(at_K), 0] = np.log(line_K * (rate_hz / samples / REFERENCE_HZ))
    facts_K3[: len(at_K), 1] = (top_K + (above_K - below_K) * aside_K / 4) / 10
    facts_K3[: len(at_K), 2] = np.log(line_K / span * np.sqrt(bend_K / BEND) / 2)
    return facts_K3


def power_of(x_L: np.ndarray, samples: int) -> tuple[np.ndarray, int]:
    """Power of the lines of what rings from the stroke on, and how many samples that is."""
    x_L = np.asarray(x_L, dtype=np.float32)
    if not len(x_L):
        return np.zeros(samples // 2), 1
    x_L = x_L - x_L.mean(dtype=np.float64).astype(np.float32)
    size_L = np.abs(x_L)
    start = int(np.argmax(size_L >= np.float32(HALF) * size_L.max()))
    rung_N = x_L[start : start + samples // 2]
    window_N = np.cos(np.arange(len(rung_N)) / len(rung_N) * (np.pi / 2)) ** 2
    return np.abs(np.fft.rfft(rung_N * window_N, samples)[: samples // 2]) ** 2, len(rung_N)


def peaks(level_F: np.ndarray, over: list[int]) -> np.ndarray:
    """Which lines are resonances, (F,)."""
    stands_F = np.zeros(len(level_F), dtype=bool)
    low, high = (level_F, level_F), (level_F, level_F)
    reach = 0
    for wider in over:
        while reach < wider:
            step = max(1, min(reach, wider - reach))
            low = widened(np.minimum, low, step, np.inf)
            high = widened(np.maximum, high, step, -np.inf)
            reach += step
        falls_F = level_F - np.maximum(*low) >= STANDS
        stands_F |= falls_F & (level_F >= np.maximum(*high))
    loud_F = level_F >= max(level_F.mean() + NOISE, -DEPTH)
    first_F = level_F > np.pad(level_F[:-1], (1, 0), constant_values=-np.inf)
    found_F = stands_F & loud_F & first_F
    found_F[-1] = False
    return found_F


def widened(
    which: np.ufunc, sides: tuple[np.ndarray, np.ndarray], step: int, filled: float
) -> tuple[np.ndarray, np.ndarray]:
    """The least or the most within some reach below each line and above it, `step` lines wider."""
    below_F, above_F = sides
    return (
        which(below_F, np.pad(below_F[:-step], (step, 0), constant_values=filled)),
        which(above_F, np.pad(above_F[step:], (0, step), constant_values=filled)),
    )
