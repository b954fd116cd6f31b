"""Numbers that say how a cell is change when its camera, microphone, sensor or writer does."""

import numpy as np
import pytest

from modalloy.cells.cells import Cells
from modalloy.job import config
from modalloy.observing.media import picture, sound, text, vector
from modalloy.readers.text import TextReader


def pixels(draw: np.random.Generator, channels: int = 1) -> dict[str, np.ndarray]:
    grey = draw.normal(120, 40, (channels, 32, 32)).clip(0, 255)
    return {"pixels": grey.astype(np.uint8), "size": np.array([64.0, 48.0])}


def test_a_darker_and_a_blurred_picture(draw: np.random.Generator) -> None:
    given = pixels(draw, 3)
    plain = picture(given)
    dark = picture({**given, "pixels": given["pixels"] // 2})
    assert dark["brightness"] == pytest.approx(plain["brightness"] / 2, rel=0.02)
    assert dark["sharpness"] == pytest.approx(plain["sharpness"], rel=0.05)
    soft = given["pixels"].astype(float)
    for axis in (1, 1, 2, 2):
        soft = (soft + np.roll(soft, 1, axis) + np.roll(soft, -1, axis)) / 3
    assert picture({**given, "pixels": soft})["sharpness"] < 0.8 * plain["sharpness"]
    assert plain["width"] == 64.0
    assert "colour" in plain
    assert "colour" not in picture(pixels(draw))


def test_a_quieter_and_an_empty_recording(draw: np.random.Generator) -> None:
    wave = 0.3 * np.sin(np.arange(2000) / 5.0)
    loud = sound({"wave": wave, "length": np.array(2000)})
    quiet = sound({"wave": wave / 10.0, "length": np.array(2000)})
    assert quiet["loudness"] == pytest.approx(loud["loudness"] - 20.0, abs=0.01)
    assert quiet["crossings"] == loud["crossings"]
    noisy = sound({"wave": wave + draw.normal(0, 0.2, 2000), "length": np.array(2000)})
    assert noisy["crossings"] > 2 * loud["crossings"]
    assert sound({"wave": np.zeros(4), "length": np.array(0)}) == {}
    silent = sound({"wave": np.zeros(4), "length": np.array(4)})
    assert silent["loudness"] == pytest.approx(-120.0)


def test_typos_make_more_pieces_a_word() -> None:
    texts = ["the seal leaks near the pump", "pump seal replaced today"] * 20
    options = config.Text(vocabulary=200)
    cells = Cells({"note": texts})
    reader = TextReader.fit("note", options, cells)
    plain, odd = text(reader, texts[0]), text(reader, "teh seall lekas naer hte pmup")
    assert plain["words"] == odd["words"] == 6.0
    assert odd["pieces a word"] > plain["pieces a word"]
    assert text(reader, "SEAL 17")["capitals"] == 1.0
    assert text(reader, "SEAL 17")["digits"] == 0.5
    assert text(reader, "")["words"] == 0.0


def test_the_length_of_a_vector() -> None:
    assert vector({"x": np.array([3.0, 4.0], np.float32)}) == {"norm": 5.0}
