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
        ("load=a..b", "'a' in 'load=a..b' is neither a number nor a date"),
        ("list=1..2", "which holds no numbers"),
        ("site>=2", "column 'site', which holds words"),
    ],
)
def test_senseless_ones_get_a_sentence(where: str, said: str) -> None:
    with pytest.raises(TableError, match=said.replace("(", r"\(").replace(".", r"\.")):
        allowed(open_table(FRAME), [read_filter(where)])
