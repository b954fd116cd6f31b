"""What orders cost: of single rows by hand, and of a stock as it is run over the test periods."""

import numpy as np
import pytest

from modalloy.job import config
from modalloy.judge.stocked import Sales, as_stock, realised_orders
from modalloy.stock.run import run_stock

ORDER = config.Order(shortage=9, holding=1, lead_time=1, review=1)


def stock(items: int = 6, periods: int = 14, tested: int = 4) -> tuple[Sales, np.ndarray]:
    """Rows of each item and period, the test rows last, and what was sold (items, periods)."""
    draw = np.random.default_rng(0)
    sold_IT = draw.poisson(1.0, (items, periods)).astype(float)
    item, period = (x.ravel() for x in np.meshgrid(range(items), range(periods), indexing="ij"))
    use = period >= periods - tested
    order = np.concatenate([np.flatnonzero(~use), draw.permutation(np.flatnonzero(use))])
    names = np.array([f"part {i}" for i in item])
    found = (names[order], period[order].astype(float), sold_IT[item, period][order], use[order])
    return Sales(*found), sold_IT


def test_a_row_meets_a_stock_of_its_own_level() -> None:
    level, mean = np.array([2.0, 0.0, 5.0, 1.0]), np.array([1.2, 0.4, 2.0, 0.1])
    found = realised_orders(ORDER, level, mean, [3.0, 1.0, 2.0, None], None)
    assert (found["rows"], found["run"]) == (3, False)
    policies = found["policies"]
    assert policies["as decided"]["cost"] == pytest.approx((9 + 9 + 3) / 3)
    assert policies["no stock"]["cost"] == pytest.approx(54 / 3)
    assert policies["the mean, rounded up"]["cost"] == pytest.approx((9 + 0 + 0) / 3)
    assert policies["as decided"]["fill"] == pytest.approx(4 / 6)
    assert policies["no stock"]["saves"]["value"] == pytest.approx(11.0)
    assert realised_orders(ORDER, level[:1], mean[:1], [None], None) == {}


def test_a_stock_is_run_over_the_test_periods() -> None:
    sales, sold_IT = stock()
    tested = sales.use_B.sum()
    level_B = np.random.default_rng(1).integers(1, 5, tested).astype(float)
    found = realised_orders(ORDER, level_B, level_B / 2, [1.0] * tested, sales)
    assert (found["items"], found["periods"], found["rows"]) == (6, 4, 24)
    own_IT = np.zeros((6, 4))
    at = np.flatnonzero(sales.use_B)
    for level, name, period in zip(level_B, sales.item_B[at], sales.period_B[at], strict=True):
        own_IT[int(name.split()[1]), int(period) - 10] = level
    costs = {"lead_time": 1, "review": 1, "holding": 1.0, "shortage": 9.0}
    ran = run_stock(own_IT, sold_IT[:, 10:], **costs)
    assert found["policies"]["as decided"]["cost"] == pytest.approx(ran.cost)
    assert found["policies"]["as decided"]["fill"] == pytest.approx(ran.fill)
    usual = found["policies"]["mean of all periods, Poisson"]
    assert usual["cost"] != ran.cost
    low, high = usual["saves"]["interval"]
    assert low <= usual["saves"]["value"] <= high


@pytest.mark.parametrize("other", [{"lead_time": 2}, {"review": 2}, {"lead_time": 0}])
def test_lead_time_and_review_change_what_a_stock_costs(other: dict[str, int]) -> None:
    sales, _ = stock()
    level_B = np.random.default_rng(1).integers(1, 5, 24).astype(float)

    def costs(order: config.Order) -> list[float]:
        found = realised_orders(order, level_B, level_B / 2, [1.0] * 24, sales)
        policies = found["policies"]
        return [policies[n]["cost"] for n in ("as decided", "mean of all periods, Poisson")]

    plain, changed = costs(ORDER), costs(ORDER.model_copy(update=other))
    assert all(a != b for a, b in zip(plain, changed, strict=True))


def test_items_with_gaps_are_left_out_and_history_ends_at_a_gap() -> None:
    sales, _ = stock()
    whole = as_stock(sales)
    assert whole is not None
    assert whole.past_IU.shape == (6, 10)
    lost = (sales.item_B == "part 2") & (sales.period_B == 12)
    fewer = as_stock(Sales(*(x[~lost] for x in sales)))
    assert fewer is not None
    assert len(fewer.sold_IT) == 5
    shorter = as_stock(Sales(*(x[sales.period_B != 5] for x in sales)))
    assert shorter is not None
    assert shorter.past_IU.shape == (6, 4)
    assert as_stock(Sales(*(x[sales.period_B != 12] for x in sales))) is None
