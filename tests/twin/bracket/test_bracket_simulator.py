"""One run of the bracket twin: its outputs, what seeds change, and its file."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from brackets import MIDDLE
from modalloy.job.lined_yaml import read_page
from modalloy.media.sound import read_audio
from modalloy.twin.bracket import simulator
from modalloy.twin.bracket.materials import MATERIALS

FIGURES = ("mass", "deflection", "f1", "f2", "stress", "verdict")


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Runs the twin; media come as bytes."""

    def call(seed: int = 0, **changed: Any) -> dict[str, Any]:
        found = simulator.simulate(MIDDLE | changed, seed=seed, folder=tmp_path)
        media = {name: (tmp_path / found[name]).read_bytes() for name in ("drawing", "tap")}
        return found | media

    return call


def twin() -> dict[str, Any]:
    return read_page((files("modalloy.twin.bracket") / "bracket.yaml").read_text()).data


def test_the_same_seed_gives_the_same_bytes(run: Any) -> None:
    assert run(seed=7) == run(seed=7)


def test_another_seed_changes_the_tap_and_the_words_alone(run: Any) -> None:
    one, others = run(seed=1), [run(seed=s) for s in range(2, 8)]
    for other in others:
        assert other["tap"] != one["tap"]
        assert other["drawing"] == one["drawing"]
        assert [other[n] for n in FIGURES] == [one[n] for n in FIGURES]
    assert len({other["specification"] for other in others}) > 3


def test_scatter_is_heard_and_not_seen(run: Any) -> None:
    nominal, copy = run(), run(wall_scatter_2=-0.1, wall_scatter_6=0.12)
    assert copy["drawing"] == nominal["drawing"]
    assert copy["specification"] == nominal["specification"]
    assert copy["tap"] != nominal["tap"]
    for name in ("mass", "deflection", "f1"):
        assert abs(copy[name] / nominal[name] - 1) > 1e-3, name


def test_the_lowest_mode_is_heard(tmp_path: Path) -> None:
    for changed in ({}, {"material": "titanium"}, {"x1": 290.0, "wall_5": 2.4}):
        found = simulator.simulate(MIDDLE | changed, seed=3, folder=tmp_path)
        heard = read_audio(tmp_path / found["tap"])
        power = np.abs(np.fft.rfft(heard.wave))
        step_hz = heard.rate_hz / len(heard.wave)
        for hz in (found["f1"], found["f2"]):
            near = slice(round((hz - 60) / step_hz), round((hz + 60) / step_hz))
            peak_hz = (near.start + np.argmax(power[near])) * step_hz
            assert abs(peak_hz - hz) <= step_hz


def test_the_file_names_what_the_simulator_takes_and_tells(run: Any) -> None:
    own, found = twin(), run()
    assert set(own["variables"]) | set(own["hidden"]) == set(MIDDLE)
    assert set(own["outputs"]) == set(found)
    assert own["variables"]["material"]["choices"] == [m.name for m in MATERIALS]
    assert found["verdict"] in own["outputs"]["verdict"]["labels"]
    place, function = own["simulator"]["use"].split(":")
    assert (place, function) == (simulator.__name__, simulator.simulate.__name__)
    assert len([v for v in own["variables"].values() if v["type"] == "continuous"]) == 16


@pytest.mark.parametrize("side", ["low", "high"])
def test_bounds_can_be_built(side: str, run: Any) -> None:
    own = twin()
    edge = {n: v[side] for n, v in own["variables"].items() if v["type"] == "continuous"}
    if side == "low":
        edge["y2"] = -100
    else:
        edge["y1"], edge["y2"] = 100, 0
    hidden = {n: v[side] for n, v in own["hidden"].items()}
    found = run(**edge, **hidden)
    assert all(np.isfinite(found[n]) and found[n] > 0 for n in FIGURES[:-1])


def test_a_drawing_is_as_wide_as_the_tube(tmp_path: Path) -> None:
    level = {"y1": 100.0, "x1": 300.0, "diameter_1": 30.0}
    simulator.simulate(MIDDLE | level, seed=0, folder=tmp_path)
    with Image.open(tmp_path / "drawing.png") as picture:
        assert (picture.size, picture.mode) == ((160, 128), "L")
        grey_HW = np.asarray(picture, float)
    column_H = grey_HW[: 128 // 2, 60]  # the upper half, where that tube alone is
    drawn_px = ((255 - column_H) / (255 - 90)).sum()
    assert drawn_px == pytest.approx(10.0, abs=0.8)  # 30 mm at 3 mm a pixel, its axis lighter


def test_what_cannot_be_built_is_said_and_draws_nothing(tmp_path: Path) -> None:
    same = {"x1": 200.0, "y1": 0.0, "x2": 200.0, "y2": 0.0}
    with pytest.raises(ValueError, match="move the joints at its ends apart"):
        simulator.simulate(MIDDLE | same, seed=0, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_runs_need_no_torch() -> None:
    program = (
        "import sys, modalloy.twin.bracket.simulator\n"
        "print('torch' in sys.modules, 'pandas' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]
