"""Designs as arrays and as values: there and back, repaired, with what follows from them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from modalloy.errors import TwinError
from modalloy.twin.space import Space
from modalloy.twin.variables import Categorical, Continuous, Integer, Linked, Ordinal, Variable

MIXED: dict[str, Variable] = {
    "x": Continuous(low=-2.0, high=3.0),
    "rate": Continuous(low=1e-3, high=10.0, log=True),
    "double": Linked.model_validate({"is": "base * 2"}),
    "base": Linked.model_validate({"is": "x + teeth"}),
    "teeth": Integer(low=-1, high=6),
    "tube": Ordinal(levels=(10, 12, 16)),
    "grade": Ordinal(levels=("rough", "fine")),
    "material": Categorical(choices=("steel", "aluminium", "brass")),
}
SPACE = Space(MIXED)
FREE = ("x", "rate", "teeth", "tube", "grade", "material")

DESIGNS = st.fixed_dictionaries(
    {
        "x": st.floats(-2.0, 3.0),
        "rate": st.floats(1e-3, 10.0),
        "teeth": st.integers(-1, 6),
        "tube": st.sampled_from([10, 12, 16]),
        "grade": st.sampled_from(["rough", "fine"]),
        "material": st.sampled_from(["steel", "aluminium", "brass"]),
    }
)


def test_columns_are_named_and_grouped() -> None:
    assert SPACE.names == (
        "x", "rate", "teeth", "tube", "grade",
        "material=steel", "material=aluminium", "material=brass",
    )  # fmt: skip
    assert SPACE.size == 8
    assert SPACE.groups["material"] == slice(5, 8)
    assert SPACE.groups["teeth"] == slice(2, 3)
    assert set(SPACE.groups) == set(FREE)


@given(designs=st.lists(DESIGNS, max_size=4))
@settings(max_examples=60, deadline=None)
def test_decoding_gives_back_what_was_encoded(designs: list[Mapping[str, Any]]) -> None:
    u_ND = SPACE.encode(designs)
    assert u_ND.shape == (len(designs), 8)
    assert ((u_ND >= 0) & (u_ND <= 1)).all()
    for own, back in zip(designs, SPACE.decode(u_ND), strict=True):
        assert back["x"] == pytest.approx(own["x"], abs=1e-12)
        assert back["rate"] == pytest.approx(own["rate"], rel=1e-12)
        for name in ("teeth", "tube", "grade", "material"):
            assert back[name] == own[name]
        assert back["base"] == pytest.approx(own["x"] + own["teeth"], abs=1e-12)
        assert back["double"] == 2 * back["base"]
        assert list(back) == list(MIXED)


@given(u_ND=arrays(np.float64, (3, 8), elements=st.floats(-0.5, 1.5)))
@settings(max_examples=60, deadline=None)
def test_a_repaired_design_needs_no_repair(u_ND: np.ndarray) -> None:
    repaired_ND = SPACE.repair(u_ND)
    np.testing.assert_array_equal(SPACE.repair(repaired_ND), repaired_ND)
    assert SPACE.decode(repaired_ND) == SPACE.decode(u_ND)
    np.testing.assert_allclose(SPACE.encode(SPACE.decode(u_ND)), repaired_ND, atol=1e-12)


def test_ends_are_the_bounds_and_the_middle_of_a_log_is_the_geometric_mean() -> None:
    at = SPACE.values(np.repeat([[0.0], [0.5], [1.0]], 8, axis=1))
    np.testing.assert_array_equal(at["x"], [-2.0, 0.5, 3.0])
    np.testing.assert_allclose(at["rate"], [1e-3, 0.1, 10.0])
    np.testing.assert_array_equal(at["teeth"], [-1, 3, 6])
    np.testing.assert_array_equal(at["tube"], [10, 12, 16])
    assert at["grade"].tolist() == ["rough", "fine", "fine"]


def test_even_numbers_are_even_levels() -> None:
    u_ND = np.tile(((np.arange(2400) + 0.5) / 2400)[:, None], 8)
    at = SPACE.values(u_ND)
    assert set(np.unique(at["teeth"], return_counts=True)[1]) == {300}
    assert set(np.unique(at["tube"], return_counts=True)[1]) == {800}


def test_the_largest_of_a_categoricals_columns_is_its_choice() -> None:
    u_ND = np.full((2, 8), 0.5)
    u_ND[0, 5:] = [0.2, 0.3, 0.1]
    u_ND[1, 5:] = [0.2, 0.3, 0.9]
    assert SPACE.values(u_ND)["material"].tolist() == ["aluminium", "brass"]
    np.testing.assert_array_equal(SPACE.repair(u_ND)[:, 5:], [[0, 1, 0], [0, 0, 1]])


def test_no_designs_are_no_rows() -> None:
    assert SPACE.decode(np.zeros((0, 8))) == []
    assert SPACE.encode([]).shape == (0, 8)


GOOD = {"x": 0, "rate": 1, "teeth": 2, "tube": 12.0, "grade": "fine", "material": "steel"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"x": 3.5}, "design 1: x must lie from -2 to 3. Got 3.5."),
        ({"x": "three"}, "design 1: x must be a number. Got 'three'."),
        ({"x": True}, "design 1: x must be a number. Got 'True'."),
        ({"x": float("nan")}, "design 1: x must be a number. Got 'nan'."),
        ({"x": None}, "design 1: x must be a number. Got 'None'."),
        ({"teeth": 2.5}, "design 1: teeth must be a whole number from -1 to 6. Got 2.5."),
        ({"teeth": 7}, "design 1: teeth must be a whole number from -1 to 6. Got 7."),
        ({"tube": 11}, "design 1: tube must be one of 10.0, 12.0, 16.0. Got '11'."),
        ({"material": "lead"}, "material must be one of steel, aluminium, brass. Got 'lead'."),
    ],
)
def test_values_that_cannot_be_set_are_told(change: dict[str, Any], said: str) -> None:
    with pytest.raises(TwinError) as caught:
        SPACE.encode([GOOD, GOOD | change])
    assert said in str(caught.value)


def test_a_design_that_lacks_a_variable_is_told() -> None:
    with pytest.raises(TwinError, match="design 0: has no value of rate"):
        SPACE.encode([{name: value for name, value in GOOD.items() if name != "rate"}])


def test_a_link_without_a_value_is_told() -> None:
    space = Space({"x": Continuous(low=0.0, high=1.0), "y": Linked.model_validate({"is": "1 / x"})})
    assert space.values(np.array([[0.5]]))["y"].tolist() == [2.0]
    with pytest.raises(TwinError, match=r"variables\.y: '1 / x' has no finite value at x = 0; nar"):
        space.decode(np.array([[0.5], [0.0]]))


def test_a_link_to_nothing_that_varies_is_one_number_a_design() -> None:
    space = Space({"x": Continuous(low=0.0, high=1.0), "y": Linked.model_validate({"is": "7"})})
    assert [row["y"] for row in space.decode(np.zeros((2, 1)))] == [7.0, 7.0]
