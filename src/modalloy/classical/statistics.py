"""Summary statistics of one picture, recording or signal, as taken by hand.

As many numbers whatever the medium's size or length. Nothing here is fitted.
"""

from collections.abc import Mapping

import numpy as np

from modalloy.classical import signals
from modalloy.media.resonances import resonances
from modalloy.model.trunks.signal_sizes import segment_for
from modalloy.readers.audio import AudioReader
from modalloy.readers.reader import Reader
from modalloy.readers.series import SeriesReader

PIXELS = 64  # pictures are looked at in this size
CELLS = 4  # cells a side in which directions of edges are counted
WAYS = 8  # directions of edges that are told apart
FRAME_S = 0.032  # of sound
MELS = 40  # bands of pitch
MANY = 8  # channels beyond which a series is looked at without its spectrum
INNER = (0.0, 0.25, 0.5, 0.75, 1.0)  # quantiles of each part of a series
LARGEST = 1e6  # numbers in units of their spread are cut here


def of_picture(reader: Reader, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Size, histogram and moments of each colour, an 8 x 8 thumbnail, edges at two scales, and
    directions of edges in 4 x 4 cells (Dalal and Triggs 2005), each cell by its own strength.
    """
    x_CHW = values["pixels"].astype(np.float32) / 255.0
    shares = [np.histogram(x_HW, bins=8, range=(0.0, 1.0))[0] / x_HW.size for x_HW in x_CHW]
    grey_HW = x_CHW.mean(0)
    small_HW = grey_HW.reshape(8, PIXELS // 8, 8, PIXELS // 8).mean((1, 3))
    edges = []
    for scale in (1, 4):
        side = PIXELS // scale
        y_HW = grey_HW.reshape(side, scale, side, scale).mean((1, 3))
        for axis in (0, 1):
            step = np.abs(np.diff(y_HW, axis=axis))
            edges += [step.mean(), step.std(), step.max()]
    moments = [m for x_HW in x_CHW for m in (x_HW.mean(), x_HW.std())]
    whole = [values["size"], *shares, small_HW.ravel(), moments, edges]
    return np.concatenate([*whole, directions(grey_HW).ravel()])


def directions(grey_HW: np.ndarray) -> np.ndarray:
    """How strong edges of each direction are in each cell, (cells, WAYS); 0 in a flat cell."""
    down_HW, right_HW = np.gradient(grey_HW)
    strength_HW = np.hypot(down_HW, right_HW)
    way_HW = ((np.arctan2(down_HW, right_HW) / np.pi % 1.0) * WAYS).astype(int) % WAYS
    side = len(grey_HW) // CELLS
    row_H = np.arange(len(grey_HW)) // side
    cell_HW = row_H[:, None] * CELLS + row_H
    sums = np.bincount(
        (cell_HW * WAYS + way_HW).ravel(), strength_HW.ravel(), minlength=CELLS**2 * WAYS
    ).reshape(CELLS**2, WAYS)
    return sums / (np.linalg.norm(sums, axis=1, keepdims=True) + 0.1)


def of_sound(reader: AudioReader, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Length, loudness, zero crossings, peak; of 40 mel bands' log energy over time the mean,
    deviation, maximum, and mean step from one frame to the next. Of a column that is heard by its
    resonances they alone, NaN where a recording has fewer.
    """
    x_L = values["wave"][: int(values["length"])]
    if reader.resonances:
        scale = {"rate_hz": reader.rate_hz, "longest": reader.length}
        return resonances(x_L, count=reader.resonances, **scale).ravel()
    x_L = x_L.astype(np.float64)
    # About 32 ms, never so short that a band falls between two lines.
    size = max(256, 1 << round(FRAME_S * reader.rate_hz).bit_length() - 1)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(x_L, (0, size)), size)[:: size // 2]
    power_TF = np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2
    bands_TK = np.log(1e-8 + power_TF @ mel_bands(reader.rate_hz, size).T)
    crossings = np.mean(np.signbit(x_L[1:]) != np.signbit(x_L[:-1])) if len(x_L) > 1 else 0.0
    whole = [
        len(x_L) / reader.rate_hz,
        np.log(1e-8 + np.mean(x_L**2)),
        crossings,
        np.abs(x_L).max(),
    ]
    steps_TK = np.abs(np.diff(bands_TK, axis=0, prepend=bands_TK[:1]))
    over_time = [bands_TK.mean(0), bands_TK.std(0), bands_TK.max(0), steps_TK.mean(0)]
    return np.concatenate([whole, *over_time])


def mel_bands(rate_hz: int, size: int) -> np.ndarray:
    """Triangles on the mel scale, 2595 log10(1 + f / 700), over a spectrum (MELS, size / 2 + 1)."""
    hz_F = np.fft.rfftfreq(size, 1 / rate_hz)
    top = 2595 * np.log10(1 + rate_hz / 2 / 700)
    edge_K = 700 * (10 ** (np.linspace(0, top, MELS + 2) / 2595) - 1)
    low, middle, high = edge_K[:-2, None], edge_K[1:-1, None], edge_K[2:, None]
    rising, falling = (hz_F - low) / (middle - low), (high - hz_F) / (high - middle)
    return np.maximum(0.0, np.minimum(rising, falling))


def of_series(reader: SeriesReader, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Of each channel: moments, quantiles, ends, trend and shape, those of the last quarter, and
    log power in equal bands of frequency; the envelope's lines where the rate is known; quantiles
    of halves, quarters and eighths of the samples, their differences and their spectrum.

    The bands are of the column's length, not of the row's: rows of all lengths have the same ones.
    With more than eight channels without bands, lines and quantiles of parts.
    """
    x_CL = values["x"][:, values["mask"]].astype(np.float64)
    low_CQ = np.quantile(x_CL, (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0), axis=1)
    parts = [x_CL.mean(1), x_CL.std(1), x_CL[:, 0], x_CL[:, -1], low_CQ.ravel()]
    parts.append(np.array([np.log1p(x_CL.shape[1])]))
    given = (values["x"], values["mask"])
    found = [signals.statistics(*given), signals.recent(*given)]
    if len(x_CL) <= MANY:
        segment = segment_for(reader.length)
        found.append(signals.spectrum(*given, segment))
        if reader.rate_hz is not None:
            found.append(signals.envelope(*given, segment, reader.rate_hz))
        steps_CL = np.diff(x_CL, axis=1, prepend=x_CL[:, :1])
        seen = (x_CL, steps_CL, np.abs(np.fft.rfft(x_CL, axis=1)))
        parts += [of_intervals(one_CL).ravel() for one_CL in seen]
    return np.concatenate([*parts, *(f.ravel() for f in found)])


def of_intervals(x_CL: np.ndarray) -> np.ndarray:
    """Five quantiles of the whole, its halves, quarters and eighths, (75, C).

    As in QUANT (Dempster et al. 2023, 2308.00928), but as many for rows of every length.
    """
    length, found = x_CL.shape[1], []
    for part, cuts in ((i, n) for n in (1, 2, 4, 8) for i in range(n)):
        start = min(part * length // cuts, length - 1)
        end = max(start + 1, (part + 1) * length // cuts)
        found.append(np.quantile(x_CL[:, start:end], INNER, axis=1))
    return np.concatenate(found)
