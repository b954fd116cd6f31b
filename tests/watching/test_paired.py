"""When a new model may take over: it gains enough, harms no group, and not by one source alone."""

from collections.abc import Sequence

import pytest

from modalloy.job.config import Refresh
from modalloy.watching.paired import Change, grouped, one_source, refuse

PLAN = Refresh(effect=2.0, harm=5.0)


def change(gain: float, low: float | None = None, high: float | None = None) -> Change:
    return Change(100, 80.0, 80.0 + gain, low, high)


def test_a_gain_beyond_chance_and_large_enough_passes() -> None:
    assert refuse({"kind": change(4.0, 1.0, 7.0)}, {}, PLAN) == ""


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (change(1.5, 0.5, 2.5), "at least 2 points"),
        (change(4.0, -0.5, 9.0), "interval above zero"),
        (change(4.0), "interval above zero"),
        (change(-1.0, -2.0, -0.2), "kind is answered worse: -1.0 points"),
        (change(-6.0, -13.0, 1.0), "kind is answered worse: -6.0 points"),
    ],
)
def test_an_effect_by_chance_is_refused(given: Change, why: str) -> None:
    assert why in refuse({"kind": given}, {}, PLAN)


def test_one_group_that_is_harmed_refuses_all() -> None:
    whole, good = {"kind": change(4.0, 1.0, 7.0)}, {"kind": change(9.0, 5.0, 12.0)}
    for bad in (change(-2.0, -3.0, -1.0), change(-5.5, -12.0, 1.0)):
        groups = {"line=a": good, "line=b": {"kind": bad}}
        assert "worse where line=b" in refuse(whole, groups, PLAN)
    assert refuse(whole, {"line=a": good, "line=b": {"kind": change(-4.0, -9.0, 1.0)}}, PLAN) == ""
    strict = Refresh(effect=2.0, harm=3.0)
    assert refuse(whole, {"line=b": {"kind": change(-4.0, -9.0, 1.0)}}, strict) != ""


def test_small_groups_are_counted_and_not_judged() -> None:
    values = ["a"] * 30 + ["b"] * 5
    asked: list[Sequence[int]] = []

    def measure(some: Sequence[int]) -> dict[str, Change]:
        asked.append(some)
        return {"kind": change(1.0)}

    found, small = grouped({"line": values}, measure)
    assert ([*found], small) == (["line=a"], 1)
    assert asked == [list(range(30))]


def test_labels_of_one_source_do_not_decide_alone() -> None:
    sources = ["mallory"] * 60 + ["ann"] * 30

    def only_hers(some: Sequence[int]) -> dict[str, Change]:
        return {"kind": change(5.0 if any(i < 60 for i in some) else 0.0)}

    def everywhere(some: Sequence[int]) -> dict[str, Change]:
        return {"kind": change(5.0)}

    assert "only labels of 'mallory'" in one_source(sources, only_hers, PLAN, anchored=True)
    assert one_source(sources, everywhere, PLAN, anchored=False) == ""
    few, alone = sources[:65], sources[:60]
    for given in (few, alone):
        for anchored in (True, False):
            why = one_source(given, everywhere, PLAN, anchored=anchored)
            assert "at least 20 must be labelled by others" in why


def test_a_source_that_is_trusted_decides_alone_beside_old_test_rows() -> None:
    plan = Refresh(effect=2.0, harm=5.0, trust=("ann",))

    def everywhere(some: Sequence[int]) -> dict[str, Change]:
        return {"kind": change(5.0)}

    assert one_source(["ann"] * 60, everywhere, plan, anchored=True) == ""
    assert one_source(["ann"] * 60 + ["bob"] * 5, everywhere, plan, anchored=True) == ""
    assert "no old test rows vouch for it" in one_source(
        ["ann"] * 60, everywhere, plan, anchored=False
    )
    assert one_source(["bob"] * 60 + ["ann"] * 5, everywhere, plan, anchored=True) != ""
