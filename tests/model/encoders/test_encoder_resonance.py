"""Resonances as an input: of any rate in hertz, missing ones learned, and learned from."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import modalloy as ma
from modalloy.cells.cells import Cells
from modalloy.classical.statistics import of_sound
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.model.encoders.resonance import ResonanceEncoder
from modalloy.readers.audio import AudioReader
from strokes import RATE_HZ, bars, stroke

OPTIONS = config.Audio(resonances=3, rate_hz=RATE_HZ, seconds=0.2)
READER = AudioReader("tap", RATE_HZ, 0.2, 1.0, 3)


def values(folder: Path, *rates_hz: int) -> dict[str, torch.Tensor]:
    """One stroke recorded at several rates."""
    for hz in rates_hz:
        soundfile.write(folder / f"{hz}.wav", stroke(430.0, rate_hz=hz), hz)
    read = READER.read(Cells({"tap": [f"{hz}.wav" for hz in rates_hz]}, folder))
    return {n: torch.from_numpy(a) for n, a in read.values.items()}


def test_hertz_do_not_depend_on_the_rate_of_a_recording(tmp_path: Path) -> None:
    encoder = ResonanceEncoder(READER, OPTIONS, 16)
    features = encoder.features(values(tmp_path, 8000, 16_000, 44_100))
    assert features["there"].tolist() == [[True, True, False]] * 3
    hz_B2 = 1000 * features["features"][:, :2, 0].exp().numpy()
    np.testing.assert_allclose(hz_B2, [[430.0, 2.76 * 430.0]] * 3, rtol=2e-3)


def test_trees_see_the_same_and_nothing_where_there_is_none(tmp_path: Path) -> None:
    given = values(tmp_path, 8000)
    features = ResonanceEncoder(READER, OPTIONS, 16).features(given)["features"]
    plain = of_sound(READER, {n: x[0].numpy() for n, x in given.items()})
    np.testing.assert_allclose(plain[:6], features[0, :2].flatten(), atol=2e-3)
    assert np.isnan(plain[6:]).all()
    silent = {"wave": np.zeros(1600, np.float32), "length": np.array(1600)}
    assert np.isnan(of_sound(READER, silent)).all()


def test_a_resonance_that_is_missing_has_a_vector_of_its_own() -> None:
    torch.manual_seed(0)
    encoder = ResonanceEncoder(READER, OPTIONS, 16)
    facts = torch.randn(40, 3, 3) + 5.0
    there = torch.ones(40, 3, dtype=torch.bool)
    there[::2, 2] = False
    encoder.train()
    encoder.embed({"features": facts * there[..., None], "there": there})
    some = facts[:, 2][there[:, 2]].mean(0)
    torch.testing.assert_close(encoder.scale.mean_F[6:], some)  # zeros would halve it
    encoder.eval()
    kept = encoder.embed({"features": facts, "there": there})
    other = encoder.embed({"features": facts + 9.0 * ~there[..., None], "there": there})
    torch.testing.assert_close(kept.summary_BD, other.summary_BD)
    encoder.fewer_Fd.data[6:] += 1.0
    moved = encoder.embed({"features": facts, "there": there}).summary_BD - kept.summary_BD
    assert (moved.abs().amax(1) > 0).tolist() == (~there[:, 2]).tolist()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"encoder": "whisper_tiny_en", "rate_hz": 16_000}, "in place of"),
        ({"tune": "lora"}, "nothing to stand beside"),
        ({"resonances": 33}, "32"),
    ],
)
def test_what_resonances_do_not_go_with(more: dict[str, object], why: str, tmp_path: Path) -> None:
    job = ma.init(bars(tmp_path, 40), target="thick")
    data = load_job(job).model_dump(mode="json", by_alias=True)
    data["columns"]["tap"] = {"type": "audio", "resonances": 2, **more}
    with pytest.raises(JobError, match=why):
        load_job(data)


def test_what_init_prints_learns_from_pitch(tmp_path: Path) -> None:
    """Missing, silent and odd cells among the rows; one row is answered as in a batch."""
    table = bars(tmp_path, 40)
    text = ma.init(table, target="thick")
    assert "resonances: 3" in text
    (tmp_path / "job.yaml").write_text(text.replace("epochs: auto", "epochs: 12"))
    run = ma.train(tmp_path / "job.yaml", out=tmp_path / "run", quiet=True)
    found = ma.predict(run, table)
    truth = np.loadtxt(table, delimiter=",", skiprows=1, usecols=2)
    off = np.abs(found["thick"].to_numpy() - truth)
    assert np.median(off[3:]) < 0.1  # of 2 to 4, of which width says nothing
    for row in (0, 1, 2, 7):
        alone = ma.predict(run, table, rows=slice(row, row + 1))
        assert alone["thick"][0] == pytest.approx(found["thick"][row], abs=1e-5)
