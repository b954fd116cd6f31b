"""What is taken of a medium by hand: right on tiny inputs, as many numbers for every size."""

import numpy as np
import pytest

from modalloy.classical.statistics import (
    directions,
    mel_bands,
    of_intervals,
    of_picture,
    of_series,
    of_sound,
)
from modalloy.readers.audio import AudioReader
from modalloy.readers.image import ImageReader
from modalloy.readers.series import SeriesReader


def test_pictures_statistics() -> None:
    reader = ImageReader("p", 1, 64, 255.0)
    flat = np.full((1, 64, 64), 51, np.uint8)
    stripes = flat.copy()
    stripes[:, :, ::2] = 255
    size = np.array([640.0, 480.0])
    plain, striped = (of_picture(reader, {"pixels": p, "size": size}) for p in (flat, stripes))
    assert plain[:2].tolist() == [640, 480]
    assert plain[2:10].tolist() == np.eye(8)[1].tolist()  # 0.2 falls into the second of eight
    assert plain[10:74] == pytest.approx(0.2)
    assert plain[76:].tolist() == [0] * (12 + 16 * 8)
    assert striped[79:82] == pytest.approx([0.8, 0.0, 0.8], abs=1e-6)  # across
    assert striped[76] == 0  # down: none


def test_sound_statistics_tell_pitches_apart() -> None:
    reader = AudioReader("s", 8000, 1.0)
    time_s = np.arange(4000) / 8000
    waves = [np.sin(2 * np.pi * f * time_s).astype(np.float32) for f in (100, 2000)]
    low, high = (of_sound(reader, {"wave": w, "length": np.array(4000)}) for w in waves)
    assert low[0] == 0.5
    assert low[1] == pytest.approx(np.log(0.5), abs=0.01)
    assert low[2] == pytest.approx(200 / 8000, rel=0.1)  # two crossings a turn
    bands = (len(low) - 4) // 4
    assert np.argmax(low[4 : 4 + bands]) < np.argmax(high[4 : 4 + bands])


def test_edges_are_told_apart_by_their_direction() -> None:
    across = np.zeros((64, 64), np.float32)
    across[:, 8:] = 1.0  # an edge from left to right, in the first column of cells
    found = directions(across)
    assert found.shape == (16, 8)
    assert found.argmax(1)[0] == 0
    assert (found[0] > 0).sum() == 1
    assert found[1].tolist() == [0] * 8
    assert directions(across.T).argmax(1)[0] == 4  # a quarter turn is half of the eight ways


def test_mel_bands_rise_to_one_and_touch() -> None:
    bands = mel_bands(16_000, 512)
    assert bands.shape == (40, 257)
    assert bands.max(1).min() > 0
    assert bands[20:].max(1) == pytest.approx(1, abs=0.2)
    middle = np.abs(bands.sum(0)[60:200] - 1)
    assert middle.max() < 1e-9  # neighbours add up to one


def series_of(length: int, channels: int = 1, rate_hz: float | None = None) -> np.ndarray:
    """Numbers of a row of so many samples, in a column of up to 2048."""
    centre = (0.0,) * channels
    reader = SeriesReader("s", ("s",), False, 2048, rate_hz, None, centre, (1.0,) * channels)
    x = np.sin(np.arange(length) * np.pi / 8)[None].repeat(channels, 0).astype(np.float32)
    return of_series(reader, {"x": x, "mask": np.ones(length, bool)})


def test_a_series_gives_as_many_numbers_whatever_its_length() -> None:
    for channels, rate_hz in ((1, None), (1, 100.0), (3, 100.0), (12, 100.0)):
        lengths = (1, 2, 31, 63, 64, 65, 509, 510, 511, 1024, 2048)
        found = [series_of(n, channels, rate_hz) for n in lengths]
        assert len({f.shape for f in found}) == 1
        assert all(np.isfinite(f).all() for f in found)


def test_a_tone_lies_in_the_same_band_in_short_and_long_rows() -> None:
    peaks = {int(series_of(n)[-97:-1].argmax()) for n in (300, 700, 2048)}
    assert peaks == {12}  # a sixteenth of the rate is an eighth of the way up, of 96 bands


def test_series_statistics() -> None:
    reader = SeriesReader("s", ("s",), False, 64, None, None, (0.0,), (1.0,))
    x = np.linspace(-1, 3, 50, dtype=np.float32)[None]
    values = {"x": np.pad(x, ((0, 0), (0, 14))), "mask": np.arange(64) < 50}
    mean, std, first, last, low, _, _, median, _, _, high, size = of_series(reader, values)[:12]
    expected = (x.mean(), x.std(), -1, 3, -1, 1, 3, np.log(51))
    found = (mean, std, first, last, low, median, high, size)
    assert found == pytest.approx(expected, rel=1e-5)


def test_parts_of_a_series_have_their_own_quantiles() -> None:
    x_1L = np.arange(16.0)[None]
    found = of_intervals(x_1L)
    assert found.shape == (75, 1)
    assert found[:5, 0].tolist() == [0.0, 3.75, 7.5, 11.25, 15.0]
    assert found[5:15:2, 0].tolist() == [0.0, 3.5, 7.0, 9.75, 13.25]  # of both halves
    assert found[-5:, 0].tolist() == [14.0, 14.25, 14.5, 14.75, 15.0]
    assert np.isfinite(of_intervals(x_1L[:, :3])).all()  # shorter than there are parts
