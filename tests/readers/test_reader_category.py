import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalloy.cells.cells import Cells
from modalloy.cells.values import spelled
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.readers.category import CategoryReader, in_order


def fit(cells: list[object], **options: object) -> CategoryReader:
    return CategoryReader.fit("site", config.Category(**options), Cells({"site": cells}))


def test_frequent_names_are_numbered_and_rare_ones_are_unknown() -> None:
    reader = fit(["b", "a", "b", "a", "once", None])
    assert reader.names == ("a", "b")
    read = reader.read(Cells({"site": ["a", "b", "once", "never", None, math.nan, "  "]}))
    assert read.values["x"].tolist() == [1, 2, 0, 0, 0, 0, 0]
    assert read.values["x"].dtype == np.int64
    assert read.present.tolist() == [True] * 4 + [False] * 3
    assert read.status == ["ok", "ok", "unknown: once", "unknown: never", *["missing"] * 3]
    assert fit(["a", "a", "once"], min_count=1).names == ("a", "once")


def test_one_thing_has_one_name_whatever_its_type() -> None:
    cells = [3, 3.0, "3", " 3 ", np.int64(3), np.float64(3.0), np.float32(3.0)]
    assert {spelled(c) for c in cells} == {"3"}
    assert spelled(2.5) == "2.5"
    assert spelled(np.True_) == spelled(True) == "True"
    assert spelled(np.float32("nan")) is None
    assert spelled(pd.NA) is None


def test_numbers_as_names_are_in_the_order_of_their_value() -> None:
    assert in_order(["10", "9", "-1"]) == ("-1", "9", "10")
    assert in_order(["10", "9", "x"]) == ("10", "9", "x")


def test_an_empty_column_is_refused_and_one_of_identifiers_is_all_unknown() -> None:
    with pytest.raises(TableError, match="column 'site' is empty in all 2 training rows"):
        fit([None, ""])
    reader = fit(["id1", "id2"])
    assert reader.names == ()
    assert reader.read(Cells({"site": ["id1"]})).values["x"].tolist() == [0]


@given(st.lists(st.one_of(st.none(), st.floats(), st.integers(), st.text()), min_size=1))
@settings(deadline=None, max_examples=60)
def test_a_row_reads_alone_as_it_does_among_others(cells: list[object]) -> None:
    reader = CategoryReader("site", ("a", "0", "1"))
    assert CategoryReader.from_state(json.loads(json.dumps(reader.state()))) == reader
    together = reader.read(Cells({"site": cells}))
    for row, cell in enumerate(cells):
        alone = reader.read(Cells({"site": [cell]}))
        assert alone.values["x"][0] == together.values["x"][row]
        assert (alone.present[0], alone.status[0]) == (together.present[row], together.status[row])
