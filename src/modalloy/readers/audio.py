"""Cells that name or hold a recording in, mono samples at one rate and on one scale out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, ClassVar, Self

import numpy as np

from modalloy.cells.cells import Cells, empty
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.media.media import source_of, spread
from modalloy.media.resampling import polyphase
from modalloy.media.sound import Sound, read_audio
from modalloy.readers.number import all_missing
from modalloy.readers.reader import Read, Reader, noted, same

LOOKED_AT = 64  # training recordings that the full scale comes from
CLICK = 100.0  # times the usual peak: beyond it, a peak says nothing of a column's scale
OVER = 2.0  # times the full scale: as far as recordings go beyond it and are still scaled to it
LOUDEST = 10.0  # times the full scale: samples are cut here
CUT = 0.001  # share of such samples from which a recording is in another unit
FAINT = 0.001  # of the full scale: a recording that stays below it is in another unit, or empty


@dataclass(frozen=True)
class AudioReader(Reader):
    """The first `seconds` of each recording, as one channel at `rate_hz`.

    full: what becomes 1 of samples that are floats: 1 where training recordings are scaled to it,
    else the loudest sample of them. None in runs that know of no scale: floats are cut at 1 there,
    and channels are averaged even where that silences them. resonances: how many of them say all
    of a recording; 0 where it is heard as it is.
    """

    kind: ClassVar[str] = "audio"
    rate_hz: int
    seconds: float
    full: float | None = None
    resonances: int = 0

    @classmethod
    def fit(cls, name: str, options: config.Audio, cells: Cells) -> Self:
        """The full scale of 64 training recordings; TableError where none of them can be read."""
        given = [c for c in cells[name] if not empty(c)]
        if not given:
            raise all_missing(name, cells)
        read, peaks, fault = 0, [], ""
        for cell in spread(given, LOOKED_AT):
            try:
                source = source_of(cell, cells.folder, cells.allow_outside)
                sound = read_audio(source.file, options.seconds)
            except TableError as error:
                fault = f"unreadable: {error}"
                continue
            read += 1
            peaks += [sound.peak] if sound.floating else []
        if not read:
            raise TableError(f"column '{name}': no recording can be read: {fault}")
        full, resonances = full_scale(peaks), options.resonances
        return cls(name, options.rate_hz, options.seconds, full, resonances)

    @classmethod
    def together(cls, fitted: Sequence[Self], rows: Sequence[int]) -> Self:
        """On the scale of the loudest site."""
        known = [r.full for r in fitted if r.full is not None]
        full = max(known) if known else None
        return replace(same(fitted, "rate_hz", "seconds", "resonances"), full=full)

    @property
    def length(self) -> int:
        """Samples of the longest recording that is kept."""
        return max(1, round(self.seconds * self.rate_hz))

    def read(self, cells: Cells) -> Read:
        """Values wave (B, L) float32, zeros at the end; length (B,) int64 samples.

        Samples lie in [-1, 1], those of float files in [-10, 10]: 1 is the training column's peak.
        """
        found = [self._read_one(c, cells) for c in cells[self.name]]
        length = np.array([len(wave) for wave, _ in found], dtype=np.int64)
        wave_BL = np.zeros((len(found), max(1, int(length.max(initial=0)))), dtype=np.float32)
        for row, (wave, _) in zip(wave_BL, found, strict=True):
            row[: len(wave)] = wave
        status = [said for _, said in found]
        return Read({"wave": wave_BL, "length": length}, length > 0, status)

    def hear(self, cell: Any, cells: Cells, seconds: float) -> tuple[Sound, str]:
        """A recording at its own rate but on the column's scale, and what is to be said of it.

        Raises TableError.
        """
        source = source_of(cell, cells.folder, cells.allow_outside)
        sound = read_audio(source.file, seconds, averaged=self.full is None)
        said = noted([source.note, sound.note, self._unusual(sound)])
        if sound.floating and self.full is not None:
            wave = np.clip(sound.wave / np.float32(self.full), -LOUDEST, LOUDEST)
        else:
            wave = np.clip(sound.wave, -1.0, 1.0)
        return sound._replace(wave=wave), said

    def _read_one(self, cell: Any, cells: Cells) -> tuple[np.ndarray, str]:
        """Samples of a cell, none where it has none, and its status."""
        nothing = np.zeros(0, dtype=np.float32)
        if empty(cell):
            return nothing, "missing"
        try:
            sound, said = self.hear(cell, cells, self.seconds)
        except TableError as error:
            return nothing, f"unreadable: {error}"
        limit = LOUDEST if sound.floating and self.full is not None else 1.0
        wave = resample(sound.wave, sound.rate_hz, self.rate_hz)[: self.length]
        return np.clip(wave, -limit, limit), said

    def _unusual(self, sound: Sound) -> str:
        """What is to be said of a loudness far from training's; TableError for other units."""
        peak = sound.peak
        if not sound.floating:
            return ""
        if self.full is None:
            return f"cut at 1, its loudest sample is {peak:.4g}" if peak > OVER else ""
        if np.mean(np.abs(sound.wave) > LOUDEST * self.full) > CUT:
            raise TableError(
                f"its samples reach {peak:.4g}, those of training {self.full:.4g}: is it in "
                "another unit? Write it on the scale of the others"
            )
        if peak > OVER * self.full:
            return f"{peak / self.full:.2g} times as loud as any training recording"
        if self.full > 1.0 and 0.0 < peak < FAINT * self.full:
            return f"its samples stay below {peak:.2g}, those of training reach {self.full:.4g}"
        return ""


def full_scale(peaks: Iterable[float]) -> float:
    """The amplitude of float samples that becomes 1: 1 itself where recordings are scaled to it."""
    heard = [p for p in peaks if p > 0]
    if not heard:
        return 1.0
    usual = CLICK * float(np.median(heard))
    loudest = max(p for p in heard if p <= usual)
    return loudest if loudest > OVER else 1.0


def resample(wave_L: np.ndarray, have_hz: int, want_hz: int) -> np.ndarray:
    """The same sound at another rate, see `polyphase`.

    Odd ratios are met to about 1e-6, because the filter grows with their denominator.
    """
    if have_hz == want_hz:
        return wave_L
    largest = max(2000, 2 * have_hz // want_hz)
    ratio = Fraction(want_hz, have_hz).limit_denominator(largest)
    return polyphase(wave_L, ratio.numerator, ratio.denominator)
