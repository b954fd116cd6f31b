"""Drifts are undone where they make rows unlike training, and no further."""

from collections.abc import Sequence

import pytest

from modalloy.adaptation.blame import blamed
from modalloy.adaptation.restandardise import Drift


def drift(name: str, gain: float = 1.0, offset: float = 0.0, *, clear: bool = True) -> Drift:
    """A drift of a channel that is not dead."""
    return Drift(name, gain, offset, clear, dead=False)


DRIFTS = [
    drift("process", gain=0.75),
    drift("wide", gain=2.0),
    drift("far", offset=-2.0),
    drift("near", offset=0.3),
    drift("chance", offset=0.1, clear=False),
    Drift("dead", 0.0, 1.0, clear=True, dead=True),
]


def unlike_without(*needed: str, always: float = 0.0):
    """The share of unlike rows where these drifts must be undone, each by itself no use."""
    return lambda drifts: always if {*needed} <= {d.name for d in drifts} else 1.0


def names(drifts: Sequence[Drift]) -> list[str]:
    """What they are called, the strongest first."""
    return [d.name for d in drifts]


def test_nothing_is_undone_where_rows_look_as_in_training() -> None:
    assert blamed(DRIFTS, lambda _: 0.015) == []
    assert blamed(DRIFTS, unlike_without("unknown")) == []
    assert blamed([], lambda _: 1.0) == []


@pytest.mark.parametrize(
    ("needed", "undone"),
    [
        (["far"], ["far", "wide"]),  # what is far goes along
        (["wide"], ["far", "wide"]),
        (["process"], ["far", "wide", "process"]),
        (["near"], ["far", "wide", "process", "near"]),
    ],
)
def test_the_strongest_are_undone_as_far_as_needed(needed: list[str], undone: list[str]) -> None:
    assert names(blamed(DRIFTS, unlike_without(*needed))) == undone
    assert names(blamed(DRIFTS, unlike_without(*needed, always=0.4))) == undone


def test_strength_counts_from_what_is_left_alone() -> None:
    assert drift("a", offset=0.5).strength == pytest.approx(2.0)
    assert drift("a", gain=1 / 1.15**3).strength == pytest.approx(3.0)
    assert DRIFTS[-1].strength == DRIFTS[-2].strength == 0.0
