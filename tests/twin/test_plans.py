"""Plans: strata are filled once, points are balanced, factorials fit their budget."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalloy.errors import TwinError
from modalloy.twin.asked import PlanKind
from modalloy.twin.plans import factorial_levels, plan
from modalloy.twin.space import Space
from modalloy.twin.variables import Categorical, Continuous, Integer, Linked, Ordinal

SPACE = Space(
    {
        "x": Continuous(low=0.0, high=2.0),
        "rate": Continuous(low=1.0, high=100.0, log=True),
        "twice": Linked.model_validate({"is": "x * 2"}),
        "teeth": Integer(low=10, high=13),
        "tube": Ordinal(levels=(10, 12, 16)),
        "material": Categorical(choices=("steel", "brass")),
    }
)
SMOOTH = Space({f"x{i}": Continuous(low=0.0, high=1.0) for i in range(5)})


@given(count=st.integers(1, 60), seed=st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_a_latin_hypercube_fills_each_stratum_once(count: int, seed: int) -> None:
    u_ND = plan(SMOOTH, count, kind="latin", seed=seed)
    for j in range(5):
        assert sorted(np.floor(u_ND[:, j] * count).astype(int)) == list(range(count))


def test_levels_of_a_latin_hypercube_are_even() -> None:
    at = SPACE.values(plan(SPACE, 24, kind="latin", seed=3))
    for name, times in (("teeth", 6), ("tube", 8), ("material", 12)):
        assert set(np.unique(at[name].astype(str), return_counts=True)[1]) == {times}
    np.testing.assert_allclose(at["twice"], at["x"] * 2)


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_sobol_points_are_balanced(seed: int) -> None:
    u_ND = plan(SMOOTH, 64, kind="sobol", seed=seed)
    for j in range(5):
        assert sorted(np.floor(u_ND[:, j] * 64).astype(int)) == list(range(64))
    # The first two dimensions are a (0, 2)-sequence: 64 boxes of any shape hold one point each.
    for power in range(7):
        across, up = 2**power, 2 ** (6 - power)
        boxes = np.floor(u_ND[:, 0] * across) * up + np.floor(u_ND[:, 1] * up)
        assert len(set(boxes)) == 64


def test_sobol_points_of_another_number_are_the_first_ones() -> None:
    whole_ND = plan(SPACE, 64, kind="sobol", seed=4)
    np.testing.assert_array_equal(plan(SPACE, 37, kind="sobol", seed=4), whole_ND[:37])


def test_sobol_integrates_better_than_chance() -> None:
    truth = np.prod([np.sin(1.0)] * 5)  # of the product of cosines over the unit cube

    def error(u_ND: np.ndarray) -> float:
        return abs(np.cos(u_ND).prod(1).mean() - truth)

    own = np.mean([error(plan(SMOOTH, 256, kind="sobol", seed=s)) for s in range(5)])
    chance = np.mean([error(np.random.default_rng(s).random((256, 5))) for s in range(5)])
    assert own < chance / 10


def test_a_factorial_has_every_combination_once() -> None:
    rows = SPACE.decode(plan(SPACE, 300, kind="factorial", seed=0))
    axes = [[0.0, 1.0, 2.0], [1.0, 10.0, 100.0], [10, 11, 12, 13], [10, 12, 16], ["steel", "brass"]]
    names = ("x", "rate", "teeth", "tube", "material")
    found = sorted(tuple(round(v, 9) if isinstance(v, float) else v for v in map(r.get, names))
                   for r in rows)  # fmt: skip
    assert found == sorted(itertools.product(*axes))
    assert len(rows) == 216
    assert factorial_levels(SPACE, 300) == {"x": 3, "rate": 3, "teeth": 4, "tube": 3, "material": 2}
    assert factorial_levels(SPACE, 215)["x"] == 2
    assert len(plan(SPACE, 215, kind="factorial", seed=0)) == 96


def test_a_factorial_of_given_levels_alone_needs_no_more_than_these() -> None:
    space = Space({"a": Integer(low=0, high=2), "b": Ordinal(levels=("u", "v"))})
    assert len(plan(space, 500, kind="factorial", seed=0)) == 6


def test_a_factorial_that_does_not_fit_says_what_would() -> None:
    with pytest.raises(TwinError) as caught:
        plan(SPACE, 95, kind="factorial", seed=0)
    assert str(caught.value) == (
        "plan: the smallest factorial of these variables has 96 runs, more than 95: 2 levels of "
        "each of 2 continuous variables, 4 of teeth, 3 of tube, 2 of material. Give --runs 96, set "
        "some variables with --set, or use latin or sobol."
    )


@pytest.mark.parametrize("kind", ["latin", "sobol", "factorial"])
def test_a_plan_is_the_same_for_the_same_seed_and_needs_no_repair(kind: PlanKind) -> None:
    u_ND = plan(SPACE, 100, kind=kind, seed=5)
    np.testing.assert_array_equal(u_ND, plan(SPACE, 100, kind=kind, seed=5))
    np.testing.assert_array_equal(u_ND, SPACE.repair(u_ND))
    assert (u_ND != plan(SPACE, 100, kind=kind, seed=6)).any()


@pytest.mark.parametrize("count", [0, -3, 2_000_000])
def test_no_plan_of_no_runs(count: int) -> None:
    with pytest.raises(TwinError, match="is no plan; give 1 to 1,000,000"):
        plan(SPACE, count, kind="latin", seed=0)
