import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from modalloy.cells.cells import Cells
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.readers.audio import AudioReader, resample


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


def write_floats(folder: Path, factors: dict[str, float], seed: int = 0) -> None:
    for name, factor in factors.items():
        wave = factor * tone(4000, 0.3, pitch_hz=300.0)
        soundfile.write(folder / name, wave.astype(np.float32), 4000, subtype="FLOAT")


def test_floats_in_counts_keep_their_shape_and_their_loudness(tmp_path: Path) -> None:
    factors = {f"{i}.wav": 2000.0 * (1 + i) for i in range(5)}
    write_floats(tmp_path, factors)
    reader = fit(list(factors), tmp_path)
    assert reader.full == pytest.approx(5000, rel=1e-3)
    read = reader.read(Cells({"sound": list(factors)}, tmp_path))
    assert read.status == ["ok"] * 5
    for row, factor in zip(read.values["wave"], factors.values(), strict=True):
        expected = factor / reader.full * tone(4000, 0.3)
        assert np.allclose(row[: len(expected)], expected, atol=1e-4)
    again = AudioReader.from_state(json.loads(json.dumps(reader.state())))
    alone = again.read(Cells({"sound": ["1.wav"]}, tmp_path))  # never scaled by the file itself
    assert np.array_equal(alone.values["wave"][0], read.values["wave"][1])


def test_floats_scaled_to_one_and_integers_stay_as_they_are(tmp_path: Path) -> None:
    write_floats(tmp_path, {"a.wav": 0.2, "b.wav": 1.9, "c.wav": 3.0})  # the tone's peak is 0.5
    soundfile.write(tmp_path / "i.wav", tone(4000, 0.3), 4000, subtype="PCM_24")
    reader = fit(["a.wav", "b.wav", "c.wav", "i.wav"], tmp_path)
    assert reader.full == 1.0
    read = reader.read(Cells({"sound": ["a.wav", "c.wav", "i.wav"]}, tmp_path))
    assert np.abs(read.values["wave"]).max(axis=1) == pytest.approx([0.1, 1.5, 0.5], rel=1e-3)
    assert read.status == ["ok"] * 3
    write_floats(tmp_path, {"counts.wav": 4000.0})
    counts = fit(["counts.wav", "i.wav"], tmp_path)  # an integer file knows its own full scale
    assert np.abs(counts.read(Cells({"sound": ["i.wav"]}, tmp_path)).values["wave"]).max() > 0.49


def test_one_click_does_not_set_the_scale_of_a_column(tmp_path: Path) -> None:
    write_floats(tmp_path, {f"{i}.wav": 20.0 for i in range(6)} | {"click.wav": 1e9})
    names = [f"{i}.wav" for i in range(6)] + ["click.wav"]
    assert fit(names, tmp_path).full == pytest.approx(10, rel=1e-3)


def test_loudness_far_from_trainings_is_told(tmp_path: Path) -> None:
    write_floats(
        tmp_path,
        {"usual.wav": 20.0, "loud.wav": 80.0, "counts.wav": 9000.0, "faint.wav": 0.002},
    )
    reader = fit(["usual.wav"], tmp_path)
    names = ["usual.wav", "loud.wav", "counts.wav", "faint.wav"]
    read = reader.read(Cells({"sound": names}, tmp_path))
    assert read.status[0] == "ok"
    assert read.status[1] == "noted: 4 times as loud as any training recording"
    assert read.status[2].startswith("unreadable: its samples reach 4500, those of training 10: is")
    assert read.status[3].startswith("noted: its samples stay below 0.001, those of training")
    assert read.present.tolist() == [True, True, False, True]
    assert np.abs(read.values["wave"][1]).max() == pytest.approx(4, rel=1e-3)


def test_runs_without_a_scale_read_as_they_did_but_say_so(tmp_path: Path) -> None:
    write_floats(tmp_path, {"counts.wav": 9000.0, "usual.wav": 1.0})
    opposite = np.stack([tone(4000, 0.3), -tone(4000, 0.3)], axis=1)
    soundfile.write(tmp_path / "stereo.wav", opposite, 4000)
    state = {"name": "sound", "rate_hz": 4000, "seconds": 0.4}
    old = AudioReader.from_state(state)
    read = old.read(Cells({"sound": ["counts.wav", "usual.wav", "stereo.wav"]}, tmp_path))
    assert read.status == [
        "noted: cut at 1, its loudest sample is 4500", "ok", "noted: its channels cancel each other"
    ]  # fmt: skip
    assert np.abs(read.values["wave"][0]).max() == 1.0
    assert np.abs(read.values["wave"][2]).max() < 1e-4
    new = fit(["usual.wav"], tmp_path).read(Cells({"sound": ["stereo.wav"]}, tmp_path))
    assert "its channels cancel each other" in new.status[0]
    assert new.present[0]
    assert np.abs(new.values["wave"]).max() > 0.49


def test_a_recording_of_another_place_says_where_it_was_found(tmp_path: Path) -> None:
    (tmp_path / "snd").mkdir()
    write_floats(tmp_path / "snd", {"a.wav": 1.0})
    reader = fit(["snd/a.wav"], tmp_path)
    cells = [r"C:\plant\snd\a.wav", "SND/A.WAV "]
    read = reader.read(Cells({"sound": cells}, tmp_path))
    assert read.status == ["noted: found as snd/a.wav", "ok"]
    assert read.present.all()


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
