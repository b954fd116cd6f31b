"""Whisper writes what it foretells, as transformers' own decoder does, and hears spoken words."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from modalloy.media.sound import read_audio
from modalloy.model.decoders.decoder import Memory
from modalloy.model.decoders.search import Manner
from modalloy.readers.audio import resample
from modalloy.speech.whisper import PLAIN, START, Whisper, cut, repeats_itself

SAID = "The pump bearing is overheating and the motor is making a loud grinding noise."


@pytest.fixture(scope="module")
def whisper() -> Whisper:
    return Whisper()


def test_a_spoken_sentence_is_heard_word_for_word(whisper: Whisper, tmp_path: Path) -> None:
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed here: apt-get install espeak-ng")
    path = tmp_path / "said.wav"
    subprocess.run(["espeak-ng", "-s", "150", "-w", str(path), SAID], check=True)
    sound = read_audio(path)
    wave = resample(sound.wave, sound.rate_hz, whisper.rate_hz)
    assert whisper.texts([wave, np.zeros(8000, np.float32)]) == [SAID, ""]
    # Step by step is what transformers' decoder says of the whole text at once.
    memory = Memory(whisper.hear(np.stack(cut(wave))), torch.ones(1, 1500, dtype=torch.bool))
    ids = whisper.pieces.encode(" " + SAID, add_special_tokens=False).ids
    with torch.no_grad():
        whole = whisper.decoder(memory, torch.tensor([ids]))[0]
        direct = whisper.decoder.decoder(
            input_ids=torch.tensor([[START, PLAIN, *ids[:-1]]]),
            encoder_hidden_states=memory.x_BTD,
        ).last_hidden_state[0, 1:]
        going, last = whisper.decoder.begin(memory), PLAIN
        for at in range(4):
            step = whisper.decoder.step(going, torch.tensor([last]))[0]
            torch.testing.assert_close(step, whole[at], rtol=1e-3, atol=1e-3)
            last = ids[at]
    torch.testing.assert_close(whole, whisper.decoder.foretold(direct), rtol=1e-4, atol=1e-4)


def test_recordings_are_cut_into_half_minutes() -> None:
    wave = np.ones(16_000 * 70, dtype=np.float32)
    parts = cut(wave)
    assert [len(p) for p in parts] == [480_000] * 3
    assert [int(p.sum()) for p in parts] == [480_000, 480_000, 160_000]
    assert cut(np.zeros(100, np.float32)) == []


def test_a_text_that_goes_round_in_circles_is_known() -> None:
    assert repeats_itself("the left hose is leaking, " * 8)
    assert not repeats_itself(SAID)
    assert not repeats_itself("")


def test_what_repeats_itself_is_written_again_without_repetitions(
    whisper: Whisper, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def written(memory: Memory, manner: Manner) -> list[str]:
        asked.append(manner.apart)
        circling = "hot oil" if manner.apart else "hot oil, " * 30
        return [circling, "hot oil"][: memory.rows]

    monkeypatch.setattr(whisper, "hear", lambda waves: torch.zeros(len(waves), 2, 4))
    monkeypatch.setattr(whisper, "written", written)
    assert whisper.texts([np.ones(100, np.float32)] * 2) == ["hot oil", "hot oil"]
    assert asked == [0, 3]
