"""Conditions on columns keep exactly the rows that meet them."""

import numpy as np
import pandas as pd
import pytest

from modalloy.errors import TableError
from modalloy.retrieval.where import allowed, read_filter
from modalloy.table.open_table import open_table

FRAME = pd.DataFrame(
    {
        "line": [3, 3, 4, None, 5],
        "site": ["north", "south ", None, "north", "a=b"],
        "load": [1.5, 2.5, None, 4.0, -1.0],
        "day": pd.to_datetime(["2024-01-01", "2024-02-01", "2024-03-01", None, "2024-05-01"]),
        "ok": [True, False, True, False, True],
        "list": [[1.0]] * 5,
    }
)


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("line=3", [0, 1]),
        ("line=3.0", [0, 1]),
        ("line!=3", [2, 4]),  # an empty cell meets nothing
        ("site=north", [0, 3]),
        ("site=south", [1]),
        ("site = a=b", [4]),
        ("site!=north", [1, 4]),
        ("load=2..5", [1, 3]),
        ("load=2.5..4.0", [1, 3]),
        ("load=..0", [4]),
        ("load=2..", [1, 3]),
        ("load!=2..5", [0, 4]),
        ("load>=2.5", [1, 3]),
        ("load>2.5", [3]),
        ("load<0", [4]),
        ("load<=-1", [4]),
        ("day>=2024-02-01", [1, 2, 4]),
        ("day=2024-01-15..2024-03-31", [1, 2]),
        ("ok=true", [0, 2, 4]),
    ],
)
def test_conditions(where: str, rows: list[int]) -> None:
    found = allowed(open_table(FRAME), [read_filter(where)])
    assert np.flatnonzero(found).tolist() == rows


DAYS = ["2023-12-31 23:59", "2024-01-01 00:00", "2024-01-31 23:59:30", "2024-02-01 06:00", None]
TIMES = [  # condition, rows of DAYS
    ("day=2024-01-31", [2]),
    ("day=2024-02-01", [3]),
    ("day=01.02.2024", [3]),
    ("day=1-Feb-2024", [3]),
    ("day=2024-01", [1, 2]),
    ("day=2024", [1, 2, 3]),
    ("day!=2024", [0]),
    ("day!=2024-02-01", [0, 1, 2]),
    ("day>=2024", [1, 2, 3]),
    ("day>2024", []),
    ("day>2023", [1, 2, 3]),
    ("day<2024", [0]),
    ("day<=2024-01-31", [0, 1, 2]),
    ("day<=2023", [0]),
    ("day=2024-01-01..2024-01-31", [1, 2]),
    ("day=..2024-01", [0, 1, 2]),
    ("day=2023..2024", [0, 1, 2, 3]),
    ("day!=2024-01..2024-02", [0]),
    ("day=2024-02-01T06:00", [3]),
    ("day=2024-02-01 06", [3]),
    ("day<=2024-01-31T23:59", [0, 1, 2]),
]


@pytest.mark.parametrize("kind", ["time", "text"])
@pytest.mark.parametrize(("where", "rows"), TIMES)
def test_a_date_is_all_that_it_holds(where: str, rows: list[int], kind: str) -> None:
    days = pd.to_datetime(pd.Series(DAYS), format="mixed")
    days = days.dt.strftime("%d.%m.%Y %H:%M:%S") if kind == "text" else days
    table = open_table(pd.DataFrame({"day": days}))
    assert table.kind("day") == kind
    assert np.flatnonzero(allowed(table, [read_filter(where)])).tolist() == rows


def test_seconds_since_1970_are_dates_and_numbers() -> None:
    days = pd.to_datetime(pd.Series(DAYS), format="mixed")
    seconds = (days - pd.Timestamp(0)).dt.total_seconds()
    table = open_table(pd.DataFrame({"day": days, "at": seconds}))
    for where, rows in (
        ("at=2024-01", [1, 2]),
        ("at>2024-01-31", [3]),
        ("at>=1706767200", [3]),
        ("day>=1706767200", [3]),
    ):
        assert np.flatnonzero(allowed(table, [read_filter(where)])).tolist() == rows


def test_years_among_numbers_and_codes_are_no_dates() -> None:
    table = open_table(pd.DataFrame({"made": [2023, 2024], "code": ["2024", "x2"]}))
    for where, rows in (("made>=2024", [1]), ("made=2023..2024", [0, 1]), ("code=2024", [0])):
        assert np.flatnonzero(allowed(table, [read_filter(where)])).tolist() == rows


def test_several_hold_together_and_none_asks_for_nothing() -> None:
    table = open_table(FRAME)
    both = allowed(table, [read_filter("line=3"), read_filter("load>2")])
    assert np.flatnonzero(both).tolist() == [1]
    assert allowed(table, []) is None


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("lin=3", "no column 'lin'. Did you mean 'line'"),
        ("line", "'line' is no condition"),
        ("=3", "is no condition"),
        ("line=", "is no condition"),
        ("load=a..b", "'a' in 'load=a..b' is no number"),
        ("load>=2024-02-01", "is a date, and column 'load' holds none"),
        ("load>2..5", "asks for a range, which stands behind = or != alone"),
        ("day=soon", "'soon' in 'day=soon' is neither a date nor a number"),
        ("day>2024-13", "'2024-13' in 'day>2024-13' is neither a date nor a number"),
        ("list=1..2", "which holds no numbers"),
        ("site>=2", "column 'site', which holds words"),
    ],
)
def test_senseless_ones_get_a_sentence(where: str, said: str) -> None:
    with pytest.raises(TableError, match=said.replace("(", r"\(").replace(".", r"\.")):
        allowed(open_table(FRAME), [read_filter(where)])
