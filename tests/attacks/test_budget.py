"""Budgets are read with their units, and whatever cannot be one gets a sentence."""

from typing import Any

import pytest

from attacked import small
from modalloy.attacks.budget import DEFAULTS, Budget, budgets_of
from modalloy.errors import JobError

COLUMNS = ("photo", "sound", "vibration", "note", "load", "site", "taken_at")


def budgets(given: dict[str, Any], whole: tuple[str, ...] = ()) -> dict[str, list[Budget]]:
    found = small(COLUMNS)
    every: dict[str, list[Budget]] = {}
    for one in budgets_of(found.model.job, found.model.readers, given, whole=whole):
        every.setdefault(one.column, []).append(one)
    return every


def test_every_column_has_the_default_of_its_kind() -> None:
    found = budgets({})
    assert found.keys() == set(COLUMNS)
    kinds = {"photo": "image", "sound": "audio", "vibration": "series", "note": "text"}
    kinds |= {"load": "number", "site": "category", "taken_at": "time"}
    for column, kind in kinds.items():
        assert [b.text() for b in found[column]] == list(DEFAULTS[kind])
    assert found["note"][0].what == "embedding"
    assert found["note"][1].what == "words"


def test_what_is_given_takes_the_place_of_the_default() -> None:
    given = {"load": "0.5 kN", "photo": "3 %", "sound": "-40 dBFS", "note": "3 characters"}
    found = budgets({**given, "site": "0", "taken_at": 0, "vibration": "0.02 unit"})
    assert found["load"] == [Budget("load", 0.5, "kN")]
    assert found["photo"] == [Budget("photo", 3.0, "%")]
    assert found["sound"] == [Budget("sound", -40.0, "dBFS")]
    assert found["note"] == [Budget("note", 3.0, "characters", "characters")]
    assert found["vibration"] == [Budget("vibration", 0.02, "unit")]
    assert not found.keys() & {"site", "taken_at"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lod": "1 kN"}, "no such column. Did you mean 'load'?"),
        ({"load": "0.5"}, "0.5 has no unit. A column of type number is moved by kN"),
        ({"load": 0.5}, "0.5 has no unit"),
        (
            {"photo": "0.1 kN"},
            "'0.1 kN' is in kN, and a column of type image is moved by /255 or %",
        ),
        ({"load": "-1 kN"}, "'-1 kN' is no size; it must be above 0"),
        ({"sound": "3 dBFS"}, "it must be below 0"),
        ({"note": "1.5 words"}, "no whole number of words"),
        ({"photo": "0.5/255"}, "moves no pixel"),
        ({"load": "much"}, "'much' is no size with a unit; write it such as 0.1 sd"),
        ({"site": "2 sd"}, "is moved by name"),
    ],
)
def test_what_is_no_budget_gets_a_sentence(given: dict[str, Any], said: str) -> None:
    with pytest.raises(JobError) as error:
        budgets(given)
    assert said in str(error.value)


def test_all_faults_come_in_one_error() -> None:
    with pytest.raises(JobError) as error:
        budgets({"lod": "1 kN", "photo": "2"})
    assert "budgets.lod" in str(error.value)
    assert "budgets.photo" in str(error.value)


def test_whole_numbers_move_by_one_at_least() -> None:
    assert budgets({}, whole=("load",))["load"] == [Budget("load", 1.0, "unit", whole=True)]
    assert budgets({"load": "2 kN"}, whole=("load",))["load"][0].whole
    with pytest.raises(JobError, match="its numbers are whole"):
        budgets({"load": "0.4 kN"}, whole=("load",))


def test_a_budget_grows_in_its_unit() -> None:
    assert Budget("a", 2.0, "sd").times(4).size == 8.0
    assert Budget("a", -40.0, "dBFS").times(10).size == pytest.approx(-20.0)
    assert Budget("a", 2.0, "words", "words").times(4).size == 2.0
    assert Budget("a", 2.0, "sd").times(4).free
    assert not Budget("a", 2.0, "sd").times(1.0).free
    assert budgets({"note": "1 word"})["note"] == [Budget("note", 1.0, "words", "words")]
    assert Budget("note", 1.0, "words", "words").text() == "1 word"
