"""What a specification says, and what it keeps to itself."""

import re

import pytest

from brackets import MIDDLE
from modalloy.twin.bracket import bracket
from modalloy.twin.bracket.sentence import METALS, dimensions, near, sentence


@pytest.mark.parametrize("metal", METALS)
def test_the_metal_and_the_load_are_always_said(metal: str) -> None:
    of = bracket.design(MIDDLE | {"material": metal})
    for seed in range(30):
        said = sentence(of, seed=seed)
        assert [m for m in METALS if m in said] == [metal], said
        assert "3 kN" in said or "3000 N" in said
        assert 1 <= said.count("about") <= 2
        assert said.endswith(".")


def test_wordings_vary_and_seeds_repeat() -> None:
    of = bracket.design(MIDDLE)
    said = [sentence(of, seed=s) for s in range(60)]
    assert len(set(said)) > 40
    assert said == [sentence(of, seed=s) for s in range(60)]


def test_dimensions_are_rounded() -> None:
    of = bracket.design(MIDDLE | {"diameter_3": 24.7, "diameter_5": 15.1, "x1": 267.0})
    assert dimensions(of) == (
        "largest tube about 24 mm",
        "smallest tube about 16 mm",
        "upper joint about 260 mm out",
        "lower joint about 240 mm out",
        "joints about 120 mm apart in height",
    )


def test_no_wall_is_told() -> None:
    thin = bracket.design(MIDDLE)
    thick = bracket.design(MIDDLE | {"wall_1": 2.4, "wall_scatter_3": 0.2})
    assert [sentence(thin, seed=s) for s in range(9)] == [sentence(thick, seed=s) for s in range(9)]
    assert not re.search(r"1\.5", " ".join(dimensions(thin)))


def test_rounding_is_to_whole_steps() -> None:
    assert [near(v, 20.0) for v in (89.0, 91.0, 0.0)] == ["80", "100", "0"]
