"""Recordings as one channel of samples and its rate."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from modalloy.errors import TableError
from modalloy.media.blob import File, handle, size_of
from modalloy.media.decode import MAX_BYTES, explained

MAX_SECONDS = 600.0
OGG_PAGE = 65_307  # bytes of the largest page of an OGG file
RATES_HZ = (10, 10_000_000)
FLOATS = ("FLOAT", "DOUBLE")
CANCELLED = 0.5  # of the power that is left of unrelated channels


class Sound(NamedTuple):
    """A recording as one channel, (L,) float32, and its samples a second.

    floating: its samples are floats, which no full scale bounds: they may be pascal or counts.
    Samples of other kinds lie in [-1, 1], but for what MP3 and OGG decode a little beyond.
    note: how channels became one where that was not their average.
    """

    wave: np.ndarray
    rate_hz: int
    floating: bool
    note: str

    @property
    def peak(self) -> float:
        """The loudest sample."""
        return float(np.abs(self.wave).max(initial=0.0))


def read_audio(path: File, seconds: float | None = None, *, averaged: bool = False) -> Sound:
    """A recording, at most its first `seconds`; `averaged` joins channels whatever it costs.

    Raises TableError, for more than ten minutes before decoding.
    """
    wave_CL, rate_hz, floating = read_wave(path, seconds)
    wave, note = one_channel(wave_CL)
    if averaged:
        wave, note = wave_CL.mean(axis=0), "its channels cancel each other" if note else ""
    return Sound(wave, rate_hz, floating, note)


def one_channel(wave_CL: np.ndarray) -> tuple[np.ndarray, str]:
    """The average of channels - or the loudest of them where they cancel each other - and why.

    They do where the average keeps less than half of the power that channels without any relation
    would leave in it: for two alike but for noise, at a correlation below -0.5.
    """
    mean_L = wave_CL.mean(axis=0)
    if len(wave_CL) == 1:
        return mean_L, ""
    power_C = wave_CL.var(axis=1, dtype=np.float64)
    unrelated = power_C.sum() / len(wave_CL) ** 2
    if mean_L.var(dtype=np.float64) >= CANCELLED * unrelated:
        return mean_L, ""
    loudest = int(power_C.argmax())
    return wave_CL[
        loudest
    ], f"its channels cancel each other, so that only channel {loudest} is heard"


def read_wave(path: File, seconds: float | None = None) -> tuple[np.ndarray, int, bool]:
    """Samples (C, L) float32, their rate in hertz, and whether the file holds them as floats."""
    given = handle(path)
    opened = os.fspath(given) if isinstance(given, Path) else given
    with explained(path, "recording"), soundfile.SoundFile(opened) as file:
        rate_hz, frames, floating = file.samplerate, file.frames, file.subtype in FLOATS
        if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
            raise TableError(f"{path} claims {rate_hz} samples a second")
        if frames <= 0:
            raise TableError(f"{path} holds no samples")
        if frames > MAX_SECONDS * rate_hz:
            raise TableError(f"{path} lasts {frames / rate_hz / 60:.1f} minutes, more than 10")
        if frames * file.channels * 4 > MAX_BYTES:
            raise TableError(f"{path} has {file.channels} channels of {frames} samples, too many")
        wanted = frames if seconds is None else min(frames, max(1, round(seconds * rate_hz)))
        wave_LC = file.read(wanted, dtype="float32", always_2d=True)
    if len(wave_LC) < wanted or _cut_wav(path):
        raise TableError(f"{path} is truncated: its header promises more samples than it holds")
    if _cut_ogg(path):
        raise TableError(f"{path} is truncated: its last page is not marked as the end")
    if not np.isfinite(wave_LC).all():
        raise TableError(f"{path} holds samples that are not numbers")
    return wave_LC.T, rate_hz, floating


def _cut_wav(path: File) -> bool:
    """Whether a WAV file is shorter than its header says; libsndfile reads on without a word."""
    with path.open("rb") as file:
        head = file.read(8)
    size = int.from_bytes(head[4:], "little")
    # Programs that write to a pipe do not know the size and put the largest number.
    streamed = size >= 0x7FFFFFFF
    return head[:4] == b"RIFF" and not streamed and size > size_of(path)


def _cut_ogg(path: File) -> bool:
    """Whether the last page of an OGG file (RFC 3533) is cut off or not marked as the last."""
    size = size_of(path)
    with path.open("rb") as file:
        if file.read(4) != b"OggS":
            return False
        file.seek(max(0, size - 2 * OGG_PAGE))
        end = file.read()
    at = end.rfind(b"OggS\0")
    page = end[max(at, 0) :]
    if at < 0 or len(page) < 27:
        return True
    segments = page[27 : 27 + page[26]]
    whole = len(segments) == page[26] and len(page) >= 27 + len(segments) + sum(segments)
    return not whole or not page[5] & 4  # the flag of a stream's end
