"""One weld from values to outputs: names, units, files, and the same bytes for the same seed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from modalloy.media.sound import read_audio
from modalloy.twin.weld.plant import described, stream
from modalloy.twin.weld.simulator import beam_of, simulate, verdict, weld

VALUES: dict[str, Any] = {
    "power": 1000.0,
    "speed": 20.0,
    "preheat": 20.0,
    "spot": 0.7,
    "grade": "stainless",
    "absorptivity": 0.6,
    "conductivity_factor": 1.0,
}


def run(folder: Path, values: Mapping[str, Any] = VALUES, seed: int = 3) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    return simulate(values, seed=seed, folder=folder)


def test_every_output_of_the_twin_comes_back(tmp_path: Path) -> None:
    made, outputs = run(tmp_path), described()["outputs"]
    assert list(made) == list(outputs)
    for name, output in outputs.items():
        kind = float if output["type"] == "number" else str
        assert isinstance(made[name], kind)
    assert made["verdict"] in outputs["verdict"]["labels"]
    assert made["depth"] == pytest.approx(0.98, abs=0.01)  # mm
    assert made["width"] == pytest.approx(1.73, abs=0.01)
    assert made["cooling_rate"] == pytest.approx(
        2 * np.pi * 25.0 * 780.0**2 * 0.02 / 600.0, rel=1e-9
    )


def test_media_are_files_that_the_readers_of_tables_read(tmp_path: Path) -> None:
    made, whole = run(tmp_path), weld(beam_of(VALUES), seed=3)
    with Image.open(tmp_path / made["thermal"]) as picture:
        assert (picture.mode, picture.size) == ("L", (64, 64))
        np.testing.assert_array_equal(np.asarray(picture), whole.picture_PP)
    samples_L, rate_hz = soundfile.read(tmp_path / made["burst"], dtype="int16")
    assert rate_hz == 8000
    np.testing.assert_array_equal(samples_L, whole.burst_L)
    assert read_audio(tmp_path / made["burst"]).rate_hz == 8000


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    first, again = run(tmp_path / "a"), run(tmp_path / "b")
    other = run(tmp_path / "c", seed=4)
    assert first == again
    for name in ("thermal.png", "burst.wav"):
        whole = [(tmp_path / folder / name).read_bytes() for folder in "abc"]
        assert whole[0] == whole[1]
        assert whole[0] != whole[2]
    assert other["depth"] == first["depth"]  # nothing that is random changes the weld itself


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("power", 1100.0),
        ("speed", 25.0),
        ("preheat", 120.0),
        ("spot", 0.6),
        ("grade", "nickel"),
        ("absorptivity", 0.5),
        ("conductivity_factor", 1.05),
    ],
)
def test_every_variable_and_hidden_parameter_changes_the_weld(name: str, value: Any) -> None:
    before = weld(beam_of(VALUES), seed=0)
    after = weld(beam_of(VALUES | {name: value}), seed=0)
    assert abs(after.depth_mm - before.depth_mm) > 0.002
    assert (after.picture_PP != before.picture_PP).any()


def test_the_verdict_is_by_the_window_of_depth() -> None:
    told = [verdict(depth_mm) for depth_mm in (0.84, 0.85, 1.0, 1.15, 1.16)]
    assert told == ["shallow", "good", "good", "good", "deep"]


def test_every_corner_of_the_twins_ranges_can_be_welded() -> None:
    twin = described()
    spans = {name: v for name, v in (twin["variables"] | twin["hidden"]).items() if "low" in v}
    for corner in range(2 ** len(spans)):
        ends = {
            name: v["high" if corner >> place & 1 else "low"]
            for place, (name, v) in enumerate(spans.items())
        }
        for grade in twin["variables"]["grade"]["choices"]:
            made = weld(beam_of(ends | {"grade": grade}), seed=0)
            assert 0.1 < made.depth_mm < 6.0
            assert 0.5 < made.width_mm < 6.0


def test_depth_spreads_as_the_page_says() -> None:
    depth_N = np.array(
        [weld(beam_of(part.values), seed=0).depth_mm for part in stream(300, seed=0, onset=300)]
    )
    assert 0.28 < depth_N.std() < 0.40
    assert 0.25 < np.mean([verdict(depth) == "good" for depth in depth_N]) < 0.45
