"""Cells that name a recording in, mono samples at one rate out."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Self

import numpy as np

from modalloy import config
from modalloy.errors import TableError
from modalloy.table.media import read_audio, resolve, spread
from modalloy.table.number import all_missing
from modalloy.table.reader import Cells, Read, Reader, empty

LOOKED_AT = 8


@dataclass(frozen=True)
class AudioReader(Reader):
    """The first `seconds` of each recording, averaged over channels and resampled to `rate_hz`."""

    kind: ClassVar[str] = "audio"
    rate_hz: int
    seconds: float

    @classmethod
    def fit(cls, name: str, options: config.Audio, cells: Cells) -> Self:
        """TableError where none of a few training recordings can be read."""
        reader = cls(name, options.rate_hz, options.seconds)
        given = [c for c in cells[name] if not empty(c)]
        if not given:
            raise all_missing(name, cells)
        status = "ok"
        for cell in spread(given, LOOKED_AT):
            one = Cells({name: [cell]}, cells.folder, cells.allow_outside)
            status = reader.read(one).status[0]
            if status == "ok":
                return reader
        raise TableError(f"column '{name}': no recording can be read: {status}")

    @property
    def length(self) -> int:
        """Samples of the longest recording that is kept."""
        return max(1, round(self.seconds * self.rate_hz))

    def read(self, cells: Cells) -> Read:
        """Values wave (B, L) float32 in [-1, 1], zeros at the end; length (B,) int64 samples."""
        waves = [self._read_one(c, cells) for c in cells[self.name]]
        length = np.array([0 if isinstance(w, str) else len(w) for w in waves], dtype=np.int64)
        wave_BL = np.zeros((len(waves), max(1, int(length.max(initial=0)))), dtype=np.float32)
        for row, wave in zip(wave_BL, waves, strict=True):
            if not isinstance(wave, str):
                row[: len(wave)] = wave
        status = [w if isinstance(w, str) else "ok" for w in waves]
        return Read({"wave": wave_BL, "length": length}, length > 0, status)

    def _read_one(self, cell: Any, cells: Cells) -> np.ndarray | str:
        """Samples of a cell, or its status where it has none."""
        if empty(cell):
            return "missing"
        try:
            path = resolve(cell, cells.folder, cells.allow_outside)
            wave, rate_hz = read_audio(path, self.seconds)
        except TableError as error:
            return f"unreadable: {error}"
        return resample(wave, rate_hz, self.rate_hz)[: self.length]


def resample(wave_L: np.ndarray, have_hz: int, want_hz: int) -> np.ndarray:
    """The same sound at another rate, by scipy's polyphase filter.

    Odd ratios are met to about 1e-6, because the filter grows with their denominator.
    """
    if have_hz == want_hz:
        return wave_L
    from scipy.signal import resample_poly  # half a second that other tables never need

    largest = max(2000, 2 * have_hz // want_hz)
    ratio = Fraction(want_hz, have_hz).limit_denominator(largest)
    wave = resample_poly(wave_L, ratio.numerator, ratio.denominator)
    return np.clip(wave, -1.0, 1.0).astype(np.float32)
