"""Days between two dates become an input where they are bounded, and only there."""

import numpy as np
import pandas as pd
import pytest

from drafts import valid
from modalloy.infer.dates_between import between
from modalloy.infer.infer import infer
from modalloy.table.open_table import open_table

ROWS = 120


def frame(lag: np.ndarray) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    ordered = pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 900, ROWS), "D")
    delivered = ordered + pd.to_timedelta(lag, "D")
    return pd.DataFrame(
        {
            "ordered": ordered.strftime("%Y-%m-%d"),
            "delivered": delivered.strftime("%Y-%m-%d"),
            "load": rng.normal(size=ROWS),
            "late": np.where(lag + rng.normal(0, 20, ROWS) > lag.mean(), "yes", "no"),
        }
    )


def test_a_delivery_sees_the_days_since_its_order() -> None:
    lag = np.random.default_rng(1).integers(3, 40, ROWS)
    draft = infer(open_table(frame(lag)), ["late"])
    columns = valid(draft).columns
    assert (columns["delivered"].since, columns["ordered"].since) == ("ordered", None)
    assert "days after 'ordered'" in draft.columns["delivered"].reason


@pytest.mark.parametrize("most", [1, 900])
def test_dates_always_as_far_apart_or_unrelated_are_left_alone(most: int) -> None:
    lag = np.random.default_rng(1).integers(0, most, ROWS)
    columns = valid(infer(open_table(frame(lag)), ["late"])).columns
    assert [columns[c].since for c in ("ordered", "delivered")] == [None, None]


def test_the_days_between_are_those_of_rows_with_both() -> None:
    earlier = np.arange(100.0) * 10
    later = earlier + np.tile([2.0, 6.0], 50)
    assert between(later, earlier) == (2.0, 6.0)
    assert between(earlier, later) is None
    few = np.where(np.arange(100) < 60, np.nan, earlier)
    assert between(later, few) is None
    assert between(np.where(np.arange(100) < 60, np.nan, later), earlier) == (2.0, 6.0)
