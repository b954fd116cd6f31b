"""The nearest designs that keep everything: against a problem whose answer is known."""

import numpy as np

from modalloy.designing.counterfactual import nearest
from modalloy.twin.space import Space
from modalloy.twin.variables import Categorical, Continuous

SPACE = Space(
    {
        "a": Continuous(low=0.0, high=1.0),
        "b": Continuous(low=0.0, high=1.0),
        "c": Continuous(low=0.0, high=1.0),
        "kind": Categorical(choices=("x", "y")),
    }
)
KNOWN = SPACE.repair(np.random.default_rng(0).random((300, SPACE.size)))


def certified(u_ND: np.ndarray) -> np.ndarray:
    """2 a + b >= 1.5, with kind y half a point for nothing."""
    return 2 * u_ND[:, 0] + u_ND[:, 1] + 0.5 * u_ND[:, 4] >= 1.5


def found(start: dict[str, object], actionable: tuple[str, ...] = ("a", "b", "c", "kind")):
    u_D = SPACE.encode([start])[0]
    known = KNOWN[certified(KNOWN)]
    return u_D, nearest(
        u_D, known, certified, SPACE.repair, SPACE.groups, actionable=actionable, count=3, seed=0
    )


def test_the_cheapest_single_change_comes_first() -> None:
    """From a = .5, b = .2 the way by `a` alone takes .15, by `b` .3, by another kind 1."""
    u_D, changes = found({"a": 0.5, "b": 0.2, "c": 0.9, "kind": "x"})
    assert changes[0].changed == ("a",)
    assert 0.15 <= changes[0].distance <= 0.17
    assert all(certified(c.u_D[None])[0] for c in changes)
    assert all("c" not in c.changed for c in changes)
    assert np.allclose(changes[0].u_D[1:], u_D[1:])


def test_what_may_not_change_stays() -> None:
    _, changes = found({"a": 0.5, "b": 0.2, "c": 0.9, "kind": "x"}, ("b", "c"))
    assert changes[0].changed == ("b",)
    assert 0.3 <= changes[0].distance <= 0.32
    assert found({"a": 0.0, "b": 0.2, "c": 0.9, "kind": "x"}, ("c",))[1] == []


def test_a_design_that_keeps_everything_stays_as_it_is() -> None:
    u_D, changes = found({"a": 0.9, "b": 0.2, "c": 0.9, "kind": "x"})
    assert changes[0].changed == ()
    assert changes[0].distance == 0.0
    assert np.array_equal(changes[0].u_D, u_D)
