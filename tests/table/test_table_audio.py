import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from modalloy import config
from modalloy.errors import TableError
from modalloy.table.audio import AudioReader, resample
from modalloy.table.reader import Cells


def tone(rate_hz: int, seconds: float, pitch_hz: float = 300.0) -> np.ndarray:
    time_s = np.arange(round(rate_hz * seconds)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * pitch_hz * time_s)).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "same.wav", tone(4000, 0.5), 4000, subtype="FLOAT")
    soundfile.write(tmp_path / "fast.flac", tone(11_025, 0.3), 11_025)
    soundfile.write(tmp_path / "loud.wav", np.sign(tone(16_000, 0.2)), 16_000)
    soundfile.write(tmp_path / "short.wav", tone(4000, 0.1), 4000)
    (tmp_path / "broken.wav").write_bytes((tmp_path / "same.wav").read_bytes()[:500])
    return tmp_path


def fit(cells: list[object], folder: Path, **options: object) -> AudioReader:
    settings = config.Audio(**{"rate_hz": 4000, "seconds": 0.4, **options})
    return AudioReader.fit("sound", settings, Cells({"sound": cells}, folder))


def test_recordings_come_at_one_rate_and_are_cut(folder: Path) -> None:
    reader = fit(["same.wav"], folder)
    read = reader.read(Cells({"sound": ["same.wav", "fast.flac", "short.wav"]}, folder))
    assert read.values["wave"].shape == (3, 1600)
    assert read.values["wave"].dtype == np.float32
    assert read.values["length"].tolist() == [1600, 1201, 400]
    assert np.array_equal(read.values["wave"][0], tone(4000, 0.5)[:1600])
    assert np.abs(read.values["wave"][1][20:1180] - tone(4000, 0.3)[20:1180]).max() < 0.02
    assert not read.values["wave"][2][400:].any()


@pytest.mark.parametrize("have_hz", [44_100, 8000, 22_050, 96_000, 12_345, 999_983])
def test_a_tone_is_the_same_tone_at_another_rate(have_hz: int) -> None:
    found = resample(tone(have_hz, 0.5), have_hz, 16_000)
    expected = tone(16_000, 0.5)
    assert abs(len(found) - len(expected)) <= 1
    assert found.dtype == np.float32
    assert np.abs(found[200:7800] - expected[200:7800]).max() < 0.01


def test_tones_above_half_the_new_rate_are_gone() -> None:
    found = resample(tone(16_000, 0.5, pitch_hz=3500.0), 16_000, 4000)
    assert np.abs(found[100:-100]).max() < 0.01


def test_loud_recordings_stay_within_one(folder: Path) -> None:
    read = fit(["same.wav"], folder).read(Cells({"sound": ["loud.wav"]}, folder))
    assert np.abs(read.values["wave"]).max() <= 1.0


def test_bad_cells_are_absent_and_say_why(folder: Path) -> None:
    reader = fit(["broken.wav", "same.wav"], folder)
    read = reader.read(Cells({"sound": [None, "broken.wav", "../x.wav", 5, "same.wav"]}, folder))
    assert read.present.tolist() == [False] * 4 + [True]
    assert read.status[0] == "missing"
    assert "truncated" in read.status[1]
    assert read.status[3].startswith("unreadable: expected a path")
    assert not read.values["wave"][:4].any()
    assert reader.read(Cells({"sound": [None]}, folder)).values["wave"].shape == (1, 1)


def test_columns_without_a_readable_recording_are_refused(folder: Path) -> None:
    with pytest.raises(TableError, match="is empty in all 1 training rows"):
        fit([None], folder)
    with pytest.raises(TableError, match="no recording can be read: unreadable"):
        fit(["broken.wav", "none.wav"], folder)


def test_a_row_reads_alone_as_it_does_among_others_and_from_its_state(folder: Path) -> None:
    names = ["same.wav", None, "short.wav", "fast.flac"]
    reader = fit(names, folder)
    again = AudioReader.from_state(json.loads(json.dumps(reader.state())))
    assert again == reader
    together = reader.read(Cells({"sound": names}, folder))
    for row, name in enumerate(names):
        alone = again.read(Cells({"sound": [name]}, folder))
        length = int(alone.values["length"][0])
        assert length == together.values["length"][row]
        wide = together.values["wave"][row]
        assert np.array_equal(alone.values["wave"][0, :length], wide[:length])
        assert not wide[length:].any()
