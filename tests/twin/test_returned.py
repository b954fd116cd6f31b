"""What a simulator returned is taken as it was asked for, or one sentence says what is wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modalloy.twin.returned import checked
from modalloy.twin.runs import Expected, NonsenseRun

EXPECTED = {
    "mass": Expected("number"),
    "state": Expected("category", ("good", "bad")),
    "note": Expected("text"),
    "drawing": Expected("image"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a run, with a file in it, one that is empty, and one outside."""
    inside = tmp_path / "run"
    (inside / "deep").mkdir(parents=True)
    (inside / "drawing.png").write_text("drawn")
    (inside / "deep/drawing.png").write_text("drawn")
    (inside / "empty.png").touch()
    (tmp_path / "outside.png").write_text("drawn")
    (inside / "linked.png").symlink_to(tmp_path / "outside.png")
    return inside


def returned(**changed: Any) -> dict[str, Any]:
    """What is right, but for some outputs."""
    right = {"mass": 1.5, "state": "bad", "note": "weld, ü", "drawing": "drawing.png"}
    return right | changed


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({}, {}),
        ({"mass": 3}, {"mass": 3.0}),
        ({"mass": np.float32(0.5)}, {"mass": 0.5}),
        ({"mass": np.array([2])}, {"mass": 2.0}),
        ({"note": ""}, {}),
        ({"drawing": Path("deep/drawing.png")}, {"drawing": "deep/drawing.png"}),
        ({"drawing": "deep/../drawing.png"}, {}),
        ({"more": object()}, {}),
    ],
)
def test_what_is_right_is_taken(folder: Path, given: dict[str, Any], taken: dict[str, Any]) -> None:
    found = checked(returned(**given), EXPECTED, folder)
    right = returned() | ({"note": ""} if "note" in given else {}) | taken
    assert found == right
    assert type(found["mass"]) is float


def test_an_absolute_path_inside_the_folder_is_taken(folder: Path) -> None:
    found = checked(returned(drawing=str(folder / "drawing.png")), EXPECTED, folder)
    assert found["drawing"] == "drawing.png"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"mass": float("nan")}, "'mass' is nan, not a finite number."),
        ({"mass": -np.inf}, "'mass' is -inf, not a finite number."),
        ({"mass": 10**400}, "'mass' is inf, not a finite number."),
        ({"mass": "1.5"}, "'mass' is '1.5', not a number."),
        ({"mass": None}, "'mass' is None (NoneType), not a number."),
        ({"mass": True}, "'mass' is True (bool), not a number."),
        ({"mass": [1.5]}, "'mass' is [1.5] (list), not a number."),
        ({"mass": 1j}, "'mass' is 1j (complex), not a number."),
        ({"mass": np.zeros(3)}, "'mass' is array([0., 0., 0.]) (ndarray), not a number."),
        ({"state": "Bad"}, "'state' is 'Bad', which is none of its labels: good, bad."),
        ({"state": 1}, "'state' is 1 (int), not text."),
        ({"note": 2.5}, "'note' is 2.5 (float), not text."),
        ({"note": "\ud800"}, "'note' is '\\ud800', which no file can hold."),
        ({"drawing": "absent.png"}, "'drawing': the file 'absent.png' was not written."),
        ({"drawing": "deep"}, "'drawing': the file 'deep' was not written."),
        ({"drawing": "empty.png"}, "'drawing': the file 'empty.png' is empty."),
        (
            {"drawing": "../outside.png"},
            "'drawing': the file '../outside.png' is outside the run's folder.",
        ),
        (
            {"drawing": "linked.png"},
            "'drawing': the file 'linked.png' is outside the run's folder.",
        ),
        ({"drawing": ""}, "'drawing' is '', not the name of a file in its folder."),
        ({"drawing": 3}, "'drawing' is 3 (int), not the name of a file in its folder."),
    ],
)
def test_what_is_wrong_is_told(folder: Path, given: dict[str, Any], words: str) -> None:
    with pytest.raises(NonsenseRun) as raised:
        checked(returned(**given), EXPECTED, folder)
    assert str(raised.value) == words


def test_what_is_missing_or_no_mapping_is_told(folder: Path) -> None:
    with pytest.raises(NonsenseRun, match=r"It did not return 'mass'; it returned mas, state\."):
        checked({"mas": 1.0, "state": "good"}, EXPECTED, folder)
    with pytest.raises(NonsenseRun, match=r"It did not return 'mass'; it returned nothing\."):
        checked({}, EXPECTED, folder)
    with pytest.raises(NonsenseRun, match=r"It returned 1\.5 \(float\) instead of its outputs by"):
        checked(1.5, EXPECTED, folder)
