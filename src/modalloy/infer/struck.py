"""Recordings of struck bodies, told by how they sound: they begin at once, die away and ring.

Whatever they are to answer is in the frequencies that they ring at, and a hundredth of one may
decide; pretrained encoders of speech hear pitch about as finely as a voice varies.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.errors import TableError
from modalloy.infer.guessed import Guess, InferredTask
from modalloy.job import config
from modalloy.media.resonances import resonances
from modalloy.media.sound import Sound, read_audio

LOWEST = 3  # resonances that are heard
MOST_S = 2.0  # of a recording of one stroke
RATES_HZ = (1000, 192_000)  # that a column can be brought to
PARTS = 8  # of what follows the stroke,
DYING = 10.0  # dB by which the last is weaker than the first at least,
STEADY = 1.0  # dB by which one may be louder than the one before: noise is left
EARLY = 0.05  # share of all power that may come before the stroke
NEARLY_ALL = 0.9  # of the recordings that can be read


def with_resonances(found: Guess, files: list[Path], tasks: Mapping[str, InferredTask]) -> Guess:
    """The guess of a column of recordings, by their resonances where numbers are to be answered
    from strokes; else as it is.
    """
    if not all(task.type == "regress" for task in tasks.values()):
        return found
    sounds = [sound for file in files if (sound := heard(file)) is not None]
    if not sounds or sum(map(is_stroke, sounds)) < NEARLY_ALL * len(sounds):
        return found
    options: dict[str, Any] = {"resonances": LOWEST}
    options["seconds"] = max(0.01, float(np.ceil(100 * max(map(seconds, sounds))) / 100))
    rate_hz = max(sound.rate_hz for sound in sounds)
    if rate_hz != config.Audio().rate_hz and RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        options["rate_hz"] = rate_hz
    why = f"{len(sounds)} of them begin with a stroke, ring and die away: heard by resonances"
    return replace(found, reason=f"{found.reason}; {why}", options=options)


def heard(file: Path) -> Sound | None:
    """The recording; None where it cannot be read or holds silence, which `check` says."""
    try:
        sound = read_audio(file, 2 * MOST_S)
    except TableError:
        return None
    return sound if sound.peak > 0 else None


def seconds(sound: Sound) -> float:
    """How long a recording lasts."""
    return len(sound.wave) / sound.rate_hz


def is_stroke(sound: Sound) -> bool:
    """Whether a short recording begins with a stroke, dies away in every part and rings."""
    x_L = sound.wave.astype(np.float64) - sound.wave.mean(dtype=np.float64)
    size_L = np.abs(x_L)
    if seconds(sound) > MOST_S or len(x_L) < 10 * PARTS or size_L.max() == 0:
        return False
    start = int(np.argmax(size_L >= size_L.max() / 2))
    before = float((x_L[:start] ** 2).sum() / (x_L**2).sum())
    if before > EARLY or len(x_L) - start < 10 * PARTS:
        return False
    power_P = np.array([np.mean(part**2) for part in np.array_split(x_L[start:], PARTS)])
    level_P = 10 * np.log10(power_P + 1e-12 * power_P.max())
    if level_P[0] - level_P[-1] < DYING or np.diff(level_P).max() > STEADY:
        return False
    scale = {"rate_hz": sound.rate_hz, "longest": len(x_L)}
    return bool(np.isfinite(resonances(sound.wave, count=1, **scale)[0, 0]))
