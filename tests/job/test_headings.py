"""A column is found by its name or one that looks the same; other near ones are asked about."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modalloy.job.headings import bare, match_headings, near_heading, spelled


@pytest.mark.parametrize(
    "other",
    ["Load", "LOAD", " load", "load ", "\tload\n", "\ufeffload", "lo\u200bad", "load\xa0", "ｌoad"],
)  # fmt: skip
def test_a_name_that_looks_the_same_is_found(other: str) -> None:
    expected = {} if other.startswith("ｌ") else {"load": other}  # full width is seen
    assert match_headings(["load", "site"], [other, "site"]) == expected


def test_accents_of_either_form_and_inner_blanks_are_the_same() -> None:
    name = "Öl Temperatur"
    for other in (unicodedata.normalize("NFD", name), "öl  temperatur", "ÖL\u00a0TEMPERATUR"):
        assert match_headings([name], [other]) == {name: other}


@pytest.mark.parametrize(
    ("wanted", "held", "named"),
    [
        (["load"], ["Load", "LOAD"], ()),  # two would fit
        (["load", "Load"], ["LOAD"], ()),  # one for two
        (["load", "Load"], ["Load"], ()),  # the one there is wanted for itself
        (["load"], ["Load"], ("Load",)),  # or has another use
        (["load"], ["load", "Load"], ()),  # nothing is absent
        (["load"], ["load [kN]"], ()),  # asked about, never taken
        (["load"], ["guard_open"], ()),
    ],
)
def test_nothing_is_matched_that_might_mean_something_else(
    wanted: list[str], held: list[str], named: tuple[str, ...]
) -> None:
    assert match_headings(wanted, held, named) == {}


@pytest.mark.parametrize(
    ("wanted", "held", "near"),
    [
        ("load", ["x", "load [kN]", "p"], "load [kN]"),
        ("load [kN]", ["x", "load", "loud"], "load"),
        ("p", ["P (bar)", "q"], "P (bar)"),
        ("guard_open", ["guard", "Guard Open"], "Guard Open"),
        ("temperature", ["temprature", "time"], "temprature"),
        ("load", ["Load", "LOAD"], "Load"),
        ("温度 °C", ["温度 [°C]", "备注"], "温度 [°C]"),
        ("load", ["x", "recipe"], None),
        ("load", [], None),
    ],
)
def test_the_nearest_name_is_asked_about(wanted: str, held: list[str], near: str | None) -> None:
    assert near_heading(wanted, held) == near


@given(st.lists(st.text(max_size=6), unique=True, max_size=6), st.lists(st.text(max_size=6)))
def test_matches_are_one_to_one_and_alike(wanted: list[str], held: list[str]) -> None:
    held = list(dict.fromkeys(held))
    found = match_headings(wanted, held)
    assert len(set(found.values())) == len(found)
    for name, other in found.items():
        assert name not in held
        assert other in held
        assert other not in wanted
        assert spelled(name) == spelled(other)
        assert bare(name) == bare(other)
