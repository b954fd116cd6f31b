"""Whole columns read as their cells do one by one."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modalloy.cells.bulk import read_names, read_numbers, read_order
from modalloy.cells.moments import Form, to_moment
from modalloy.cells.numbers import to_number
from modalloy.cells.values import spelled, to_mixed, to_python

TEXTS = [
    "5", " 5 ", "+5", "++5", "-0", "5.", ".5", "1e3", "1e999", "1_000", "0x10", "nan", "inf", "NA",
    "n.d.", "true", "08:30", "12345678901234567890", "1,5", "1.234,5", "1.5", "5,", ",", "1d5",
    "2024-05-01", "2024-05-01 06:30", "2024-05-01T06:30:15.25", "2024-02-31", "2024-05-01 24:00",
    "2024-05-01 06:30 +02:00", "2024-05-01T06:30:15Z", "0000-01-01", "2024-05-01 06:30:15.1234567",
    "02/01/2024", "13/01/2024", "20240501", "1714545000", "31.05.2024", "soon", "", "  ", None,
]  # fmt: skip
EAST = timezone(timedelta(hours=9))
ARRAYS: list[Any] = [
    pa.array([1, None, 2**62]),
    pa.array([1.5, float("nan"), None, float("inf")]),
    pa.array([1.1, None], pa.float32()),
    pa.array([True, None, False]),
    pa.array([Decimal("1.25"), None]),
    pa.array([date(2024, 5, 1), None]),
    pa.array([datetime(2024, 5, 1, 6, 30), None]),
    pa.array([datetime(2024, 5, 1, 6, 30, tzinfo=EAST), None], pa.timestamp("us", "Asia/Tokyo")),
    pa.array([datetime(2024, 5, 1, 6, 30, tzinfo=UTC)], pa.timestamp("ns", "UTC")),
    to_mixed([1, 2.5, "3", None, True, datetime(2024, 5, 1), "x"]),
    pa.array([[1.0], None, [1.0, 2.0]]),
    pa.array([None, None]),
]
CELLS = st.one_of(st.just(pa.array(TEXTS)), st.sampled_from(ARRAYS)) | st.lists(
    st.sampled_from(TEXTS) | st.text(max_size=4), min_size=1
).map(lambda cells: pa.array(cells, pa.string()))


def seconds(cell: Any, form: Form) -> float | None:
    moment = to_moment(cell, form)
    if isinstance(moment, str):
        return None
    return np.nan if moment is None else (moment - datetime(1970, 1, 1)).total_seconds()


def agree(found: Any, wanted: list[float | None]) -> None:
    assert found.bad_N.tolist() == [w is None for w in wanted]
    np.testing.assert_array_equal(found.x_N, [np.nan if w is None else w for w in wanted])


@given(st.lists(CELLS, min_size=1, max_size=3), st.sampled_from([".", ","]))
def test_columns_read_as_their_cells(arrays: list[pa.Array], decimal: str) -> None:
    arrays = [a for a in arrays if a.type == arrays[0].type]
    cells = [c for a in arrays for c in to_python(a)]
    numbers = [to_number(c, decimal) for c in cells]
    agree(read_numbers(arrays, decimal), numbers)
    for form in get_args(Form):
        found, moments = read_order(arrays, form, decimal)
        assert found == form
        agree(moments, [seconds(c, form) for c in cells])
    found, moments = read_order(arrays, "number", decimal)
    assert found == "number"
    agree(moments, numbers)


@given(st.lists(CELLS, min_size=1, max_size=3))
def test_names_tell_apart_what_is_written_otherwise(arrays: list[pa.Array]) -> None:
    arrays = [a for a in arrays if a.type == arrays[0].type and not pa.types.is_list(a.type)]
    if not arrays:
        return
    names = [spelled(c) for a in arrays for c in to_python(a)]
    codes = read_names(arrays).tolist()
    assert len(codes) == len(names)
    assert all((c < 0) == (n is None) for c, n in zip(codes, names, strict=True))
    assert len(set(zip(codes, names, strict=True))) == len(set(names)) == len(set(codes))


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (["1", "2", "NA"], "number"),
        (["1", "2", "x"], "number"),
        (["13/01/2024", "01/02/2024"], "day_first"),
        (["01/13/2024", "01/02/2024"], "month_first"),
        (["2024-05-01", "later", "2024-05-02"], "iso"),
        (["20240501", "2024-05-02"], "yyyymmdd"),
        ([None], "number"),
    ],
)
def test_what_sorts_rows_is_found_by_all_cells(cells: list[str | None], form: str) -> None:
    found, _ = read_order([pa.array([c], pa.string()) for c in cells], None, ".")
    assert found == form
