import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from modalloy.cells.cells import Cells
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.readers.vector import VectorReader, to_array


def fit(cells: list[object]) -> VectorReader:
    return VectorReader.fit("spectrum", config.Vector(), Cells({"spectrum": cells}))


def test_entries_are_standardised_like_scikit_learn() -> None:
    x_BF = np.random.default_rng(0).normal([1.0, -50.0, 0.0], [2.0, 9.0, 0.0], (300, 3))
    reader = fit(list(x_BF))
    found = reader.read(Cells({"spectrum": list(x_BF)})).values["x"]
    assert np.allclose(found, StandardScaler().fit_transform(x_BF), atol=1e-5)
    assert reader.length == 3


def test_lists_arrays_and_json_are_the_same() -> None:
    reader = fit([[1, 2], [3, 5]])
    cells = [[3, 5], (3, 5), np.array([3, 5]), np.array([3, 5], dtype=object), "[3, 5]"]
    found = reader.read(Cells({"spectrum": cells}))
    assert found.status == ["ok"] * 5
    assert (found.values["x"] == found.values["x"][0]).all()


def test_what_is_no_such_list_is_absent_and_says_why() -> None:
    reader = fit([[1.0, 2.0], [3.0, 5.0], None])
    cells = [None, [1.0], "x", 3.0, [[1.0, 2.0]], [math.nan, math.inf], [math.nan, 5.0], ["a", "b"]]
    found = reader.read(Cells({"spectrum": cells}))
    assert found.present.tolist() == [False] * 6 + [True, False]
    assert found.status[0] == found.status[5] == "missing"
    assert found.status[1] == "unreadable: shape (1,), expected 2 numbers"
    assert "no list of numbers" in found.status[2]
    assert "no list of numbers" in found.status[7]
    assert found.values["x"][6, 0] == 0
    assert found.values["x"][6, 1] == pytest.approx(1.0)


def test_extremes_stay_finite() -> None:
    reader = fit([[1.7e308, 1.0], [-1.7e308, 1.0], [math.inf, 1.0]])
    found = reader.read(Cells({"spectrum": [[1.7e308, -1.7e308], [0.0, 1e300]]})).values["x"]
    assert np.abs(found).max() <= 10.0


def test_columns_without_lists_are_refused() -> None:
    with pytest.raises(TableError, match="is empty in all 2 training rows"):
        fit([None, None])
    with pytest.raises(TableError, match="column 'spectrum' holds no list of numbers but 'abc'"):
        fit(["abc"])


def test_deep_json_is_no_list() -> None:
    assert isinstance(to_array("[" * 100_000), str)
    assert isinstance(to_array([[1.0], [1.0, 2.0]]), str)


@given(
    st.lists(
        st.one_of(st.none(), st.lists(st.floats(), max_size=3), st.text(max_size=4)), min_size=1
    )
)
@settings(deadline=None, max_examples=60)
def test_a_row_reads_alone_as_it_does_among_others(cells: list[object]) -> None:
    reader = VectorReader("spectrum", (0.5, 1.0), (1.0, 3.0))
    assert VectorReader.from_state(json.loads(json.dumps(reader.state()))) == reader
    together = reader.read(Cells({"spectrum": cells}))
    assert np.isfinite(together.values["x"]).all()
    for row, cell in enumerate(cells):
        alone = reader.read(Cells({"spectrum": [cell]}))
        assert np.array_equal(alone.values["x"], together.values["x"][[row]])
        assert alone.status[0] == together.status[row]
