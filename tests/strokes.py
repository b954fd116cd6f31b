"""Recordings of struck bars whose pitch tells how thick they are, for tests."""

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

RATE_HZ = 8000


def stroke(hz: float, *, rate_hz: int = RATE_HZ, seconds: float = 0.2) -> np.ndarray:
    """Two tones that die away from the first sample on, (L,)."""
    time_L = np.arange(round(seconds * rate_hz)) / rate_hz
    tones = ((hz, 0.005, 0.4), (2.76 * hz, 0.008, 0.2))
    return sum(
        a * np.exp(-d * 2 * np.pi * f * time_L) * np.sin(2 * np.pi * f * time_L)
        for f, d, a in tones
    )


def bars(folder: Path, rows: int = 60) -> Path:
    """A table of `width` (says nothing), `thick` (what is asked) and `tap` (that tells it), where
    one cell is missing, one silent and one of another sampling rate.
    """
    draw = np.random.default_rng(0)
    thick = draw.uniform(2.0, 4.0, rows)
    names: list[str | None] = []
    for i, t in enumerate(thick):
        rate_hz = 2 * RATE_HZ if i == 2 else RATE_HZ
        wave = stroke(150.0 * t, rate_hz=rate_hz) * (i != 1)
        soundfile.write(folder / f"{i}.wav", wave, rate_hz)
        names.append(None if i == 0 else f"{i}.wav")
    table = folder / "bars.csv"
    width = draw.uniform(10, 20, rows)
    pd.DataFrame({"width": width, "tap": names, "thick": thick}).to_csv(table, index=False)
    return table
