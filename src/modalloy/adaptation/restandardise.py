"""Numbers and channels of sensors standardised anew, robustly, by rows without labels: where their
median or spread is clearly not what training saw.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.views import channel_names
from modalloy.cells.numbers import to_numbers
from modalloy.readers.number import NumberReader, robust, to_log
from modalloy.readers.reader import Reader
from modalloy.readers.series import SAMPLES, SeriesReader

LOOKED_AT = 500  # rows
BLOCKS = 10  # of rows, whose figures say how certain those of all rows are
CERTAIN = 3.0  # standard errors
LEAST_OFFSET = 0.25  # deviations of training; smaller ones are left alone
LEAST_GAIN = 1.15
DEAD = 1e-6  # spread, in deviations of training, below which a channel says nothing


class Drift(NamedTuple):
    """How one number or channel differs from training: x_now = gain * x_then + offset.

    name: `column` or `column[channel]`. offset: in deviations of training. dead: it has one value
    in all rows, which is not training's usual one. clear: beyond what chance and small changes
    explain.
    """

    name: str
    gain: float
    offset: float
    clear: bool
    dead: bool

    @property
    def strength(self) -> float:
        """How many times as far off as what is left alone; 0 where it is not clear or dead."""
        if self.dead or not self.clear:
            return 0.0
        far = abs(self.offset) / LEAST_OFFSET
        return float(max(far, abs(np.log(self.gain)) / np.log(LEAST_GAIN)))


class Restandardised(NamedTuple):
    """Readers as columns are read from now on, and how each number and channel differed."""

    readers: dict[str, Reader]
    drifts: list[Drift]

    def only(self, before: Mapping[str, Reader], names: Collection[str]) -> dict[str, Reader]:
        """Readers that read these numbers and channels anew, and all others as before."""
        found = dict(before)
        for name, old in before.items():
            new = self.readers[name]
            if isinstance(new, SeriesReader) and isinstance(old, SeriesReader):
                own = [n in names for n in channel_names(old)]
                parts = zip(own, new.center, new.scale, old.center, old.scale, strict=True)
                taken = [(n, s) if anew else (o, t) for anew, n, s, o, t in parts]
                center, scale = zip(*taken, strict=True)
                found[name] = replace(old, center=center, scale=scale)
            elif name in names:
                found[name] = new
        return found


def restandardise(loader: Loader, rows: np.ndarray) -> Restandardised:
    """Readers whose centre and scale are the median and IQR / 1.349 of these rows, where these
    clearly differ from those of training.

    All other readers, and dead channels, stay as they are. rows: at most 500 of them are read.
    """
    some = rows[np.unique(np.linspace(0, len(rows) - 1, min(LOOKED_AT, len(rows))).astype(int))]
    readers: dict[str, Reader] = dict(loader.readers)
    drifts: list[Drift] = []
    for name, reader in loader.readers.items():
        if name in loader.hidden:
            continue
        match reader:
            case NumberReader():
                readers[name], found = number_anew(reader, loader, some)
            case SeriesReader():
                readers[name], found = series_anew(reader, loader, some)
            case _:
                continue
        drifts += found
    return Restandardised(readers, drifts)


def number_anew(
    reader: NumberReader, loader: Loader, rows: np.ndarray
) -> tuple[NumberReader, list[Drift]]:
    """A number column's reader, and its drift; on the logarithm where the column is read so."""
    cells = loader.cells(reader.columns, rows)
    x = to_numbers(cells[reader.name], cells.decimal)
    x = x[np.isfinite(x)]
    if not len(x):
        return reader, []
    x = to_log(x) if reader.log else x
    drift, center, scale = drift_of(reader.name, [*x[:, None]], reader.center, reader.scale)
    if not drift.clear or drift.dead:
        return reader, [drift]
    return replace(reader, center=center, scale=scale), [drift]


def series_anew(
    reader: SeriesReader, loader: Loader, rows: np.ndarray
) -> tuple[SeriesReader, list[Drift]]:
    """A series' reader and the drift of each of its channels."""
    by_channel = samples_of(reader, loader, rows)
    center, scale = list(reader.center), list(reader.scale)
    drifts = []
    for c, name in enumerate(channel_names(reader)):
        if not by_channel[c]:
            continue
        drift, middle, spread = drift_of(name, by_channel[c], reader.center[c], reader.scale[c])
        drifts.append(drift)
        if drift.clear and not drift.dead:
            center[c], scale[c] = middle, spread
    return replace(reader, center=tuple(center), scale=tuple(scale)), drifts


def samples_of(
    reader: SeriesReader, loader: Loader, rows: np.ndarray
) -> Mapping[int, list[np.ndarray]]:
    """The finite samples of each channel, an array a row that has some; thinned where many."""
    cells = loader.cells(reader.columns, rows)
    read = [reader.collect(cells, row) for row in range(len(cells))]
    found = [x for x in read if not isinstance(x, str) and len(x) == reader.channels]
    step = max(1, sum(x.shape[1] for x in found) // SAMPLES)
    kept: dict[int, list[np.ndarray]] = {c: [] for c in range(reader.channels)}
    for x_CL in found:
        for c, x_L in enumerate(x_CL[:, ::step]):
            finite = x_L[np.isfinite(x_L)]
            if len(finite):
                kept[c].append(finite)
    return kept


def drift_of(
    name: str, rows: list[np.ndarray], center: float, scale: float
) -> tuple[Drift, float, float]:
    """How samples of rows differ from training's centre and scale; their own centre and scale."""
    every = np.concatenate(rows)
    middle, spread = robust(every)
    if float(np.ptp(every)) <= DEAD * scale:
        dead = bool(abs(middle - center) > DEAD * scale)  # training's own usual value says much
        return Drift(name, 0.0, (middle - center) / scale, dead, dead), middle, spread
    offset, gain = (middle - center) / scale, spread / scale
    error_offset, error_gain = errors(rows, scale)
    clear = abs(offset) > max(LEAST_OFFSET, CERTAIN * error_offset)
    clear |= abs(np.log(gain)) > max(np.log(LEAST_GAIN), CERTAIN * error_gain)
    return Drift(name, float(gain), float(offset), bool(clear), False), middle, spread


def errors(rows: list[np.ndarray], scale: float) -> tuple[float, float]:
    """Standard errors of the median, in deviations of training, and of the logarithm of the spread:
    from blocks of rows, since samples of one row are alike. Infinite where rows are too few.
    """
    blocks = [b for b in np.array_split(np.arange(len(rows)), BLOCKS) if len(b)]
    if len(blocks) < BLOCKS:
        return np.inf, np.inf
    figures = np.array([robust(np.concatenate([rows[i] for i in b])) for b in blocks])
    spread_2 = np.std([figures[:, 0] / scale, np.log(figures[:, 1])], axis=1, ddof=1)
    return float(spread_2[0] / np.sqrt(BLOCKS)), float(spread_2[1] / np.sqrt(BLOCKS))


def say_drift(drift: Drift) -> str:
    """One drift in words."""
    if drift.dead:
        return f"{drift.name} has one value in all rows"
    return (
        f"{drift.name} was standardised anew: {drift.gain:.2g} times as wide as in training, its "
        f"middle {drift.offset:+.2g} deviations away"
    )
