"""Strokes are told by how they sound, and heard by resonances where numbers are asked."""

from pathlib import Path

import numpy as np
import pytest

from modalloy.infer.guessed import Guess, InferredTask
from modalloy.infer.infer import infer
from modalloy.infer.struck import is_stroke, with_resonances
from modalloy.media.sound import Sound
from modalloy.table.open_table import open_table
from strokes import RATE_HZ, bars, stroke


def sound(wave: np.ndarray, rate_hz: int = RATE_HZ) -> Sound:
    return Sound(wave.astype(np.float32), rate_hz, False, "")


def spoken(seconds: float = 0.4) -> np.ndarray:
    """Harmonics of a voice that swell and fade."""
    time_L = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    tones = sum(np.sin(2 * np.pi * 120 * k * time_L) / k for k in range(1, 9))
    return 0.1 * tones * np.sin(np.pi * time_L / seconds) ** 2


def test_a_stroke_begins_at_once_dies_away_and_rings() -> None:
    ringing, draw = stroke(440.0), np.random.default_rng(0)
    noise = draw.normal(size=len(ringing))
    assert is_stroke(sound(ringing))
    assert is_stroke(sound(np.concatenate([np.zeros(400), ringing]) + 1e-4))
    assert is_stroke(sound(ringing + 1e-3 * noise))  # noise is left at the end
    assert not is_stroke(sound(spoken()))
    assert not is_stroke(sound(ringing[::-1]))
    assert not is_stroke(sound(0.1 * noise))
    assert not is_stroke(sound(noise * np.exp(-np.arange(len(noise)) / 200)))  # a clap
    assert not is_stroke(sound(stroke(440.0, seconds=2.5)))
    assert not is_stroke(sound(np.zeros(4000)))
    assert not is_stroke(sound(np.zeros(3)))


def test_init_hears_strokes_by_resonances_where_numbers_are_asked(tmp_path: Path) -> None:
    table = open_table(bars(tmp_path))
    found = infer(table, ["thick"]).columns["tap"]
    assert found.type == "audio"
    assert found.options == {"resonances": 3, "seconds": 0.2}  # 16 kHz, as the finest of them
    assert "a stroke" in found.reason


@pytest.mark.parametrize("kind", ["speech", "classes", "unreadable", "long"])
def test_all_else_keeps_its_encoder(kind: str, tmp_path: Path) -> None:
    import soundfile

    seconds = 3.0 if kind == "long" else 0.3
    wave = spoken() if kind == "speech" else stroke(500.0, seconds=seconds)
    file = tmp_path / "a.wav"
    soundfile.write(file, wave, RATE_HZ)
    if kind == "unreadable":
        file.write_bytes(b"no recording")
    guess = Guess("audio", "a path", {"encoder": "whisper_tiny_en"})
    task = InferredTask("classify" if kind == "classes" else "regress", {}, "")
    assert with_resonances(guess, [file], {"y": task}) is guess
