"""How well spoken sentences are heard, clean and in noise: `python -m bench.speech`.

Sentences of a workshop, made of words below, are spoken by espeak-ng (`apt-get install espeak-ng`)
and heard by Whisper tiny.en; the word error rate counts words without case and marks. Writes
`bench/results/speech.json` and a table of docs/generate.md. `--sentences N` tries it with fewer;
nothing is written then.
"""

import argparse
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

from bench.line import ROOT, Line, table
from bench.written import put_between_marks

PAGE = ROOT / "docs" / "generate.md"
RESULTS = ROOT / "bench" / "results" / "speech.json"
COMMAND = "python -m bench.speech"
NOISE_DB = 10.0  # by how much the speech is louder than the noise
PARTS = ("pump", "left hydraulic hose", "conveyor belt", "main bearing", "cooling fan")
FAULTS = ("is leaking oil", "makes a grinding noise", "runs hot", "has stopped", "is cracked")
ACTIONS = ("please replace the seal", "order a new one", "check it before the night shift")


def main() -> None:
    """Speak, hear, count."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--sentences", type=int)
    asked = given.parse_args()
    every = [f"The {p} {f}, {a}." for p, f, a in product(PARTS, FAULTS, ACTIONS)]
    order = np.random.default_rng(0).permutation(len(every))
    some = [every[i] for i in order[: asked.sentences or 60]]
    lines = measure(some)
    for line in lines:
        print(line, flush=True)
    if asked.sentences is None:
        RESULTS.write_text(json.dumps([line._asdict() for line in lines], indent=1) + "\n")
        put_between_marks(table(lines), PAGE, "heard")


def measure(sentences: Sequence[str]) -> list[Line]:
    """A line for clean recordings, and one for noisy ones."""
    from modalloy.judge.metrics.overlap import word_errors
    from modalloy.media.sound import read_audio
    from modalloy.readers.audio import resample
    from modalloy.speech.whisper import Whisper

    whisper, draw = Whisper(), np.random.default_rng(0)
    waves = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        for sentence in sentences:
            speak(sentence, path)
            sound = read_audio(path)
            waves.append(resample(sound.wave, sound.rate_hz, whisper.rate_hz))
    lines = []
    for case, some in (
        ("clean", waves),
        (f"noise, {NOISE_DB:g} dB", [noisy(w, draw) for w in waves]),
    ):
        start = time.perf_counter()
        said = whisper.texts(some)
        seconds = time.perf_counter() - start
        pairs = [(plain(s), plain(t)) for s, t in zip(sentences, said, strict=True)]
        wrong = np.array([word_errors(s, t) for s, t in pairs])
        words = np.array([len(s) for s, _ in pairs])
        told = f"{len(sentences)} sentences, {words.sum()} words"
        given = (float(wrong.sum() / words.sum()), spread(wrong, words, draw))
        lines.append(Line(case, "word error rate", *given, told, seconds=seconds, command=COMMAND))
    return lines


def speak(sentence: str, path: Path) -> None:
    """A recording of a sentence."""
    try:
        subprocess.run(["espeak-ng", "-s", "150", "-w", str(path), sentence], check=True)
    except FileNotFoundError:
        raise SystemExit("espeak-ng is not installed here: apt-get install -y espeak-ng") from None


def noisy(wave: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """The recording with white noise NOISE_DB below its own power."""
    power = float(np.square(wave).mean()) / 10 ** (NOISE_DB / 10)
    return (wave + draw.normal(0, power**0.5, len(wave))).astype(np.float32)


def plain(text: str) -> list[str]:
    """Words without case and marks."""
    return re.sub(r"[^a-z0-9' ]", " ", text.lower()).split()


def spread(wrong: np.ndarray, words: np.ndarray, draw: np.random.Generator) -> tuple[float, float]:
    """The 95 % interval, sentences drawn anew."""
    drawn = [draw.integers(0, len(words), len(words)) for _ in range(400)]
    low, high = np.quantile([wrong[d].sum() / words[d].sum() for d in drawn], [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    from modalloy.machine.limits import rest_soon

    rest_soon()
    main()
