"""A stock by hand, one unrolled by a slow loop, and the usual methods against plain versions."""

import numpy as np
import pytest
from scipy import stats

from modalloy.stock.methods import Cover, croston, methods_for, poisson_quantile, tsb
from modalloy.stock.run import run_stock

COSTS = {"holding": 1.0, "shortage": 9.0}


def test_a_stock_by_hand() -> None:
    level = np.array([[3.0, 3.0, 3.0]])
    sold = np.array([[1.0, 4.0, 0.0]])
    ran = run_stock(level, sold, lead_time=1, review=1, **COSTS)
    # 3 there, 1 asked: 2 left, none ordered. 1 ordered, 4 asked: 2 owed. 1 comes, 1 owed.
    assert ran.cost_IT.tolist() == [[2.0, 18.0, 9.0]]
    assert ran.served_IT.tolist() == [[1.0, 2.0, 0.0]]
    assert (ran.cost, ran.fill) == (29 / 3, 3 / 5)


def test_lead_time_review_costs_and_what_is_owed_change_what_it_costs() -> None:
    draw = np.random.default_rng(0)
    sold, level = draw.poisson(1.0, (40, 12)), draw.integers(1, 4, (40, 12)).astype(float)
    usual = {"lead_time": 1, "review": 1, **COSTS, "count_owed": True}
    plain = run_stock(level, sold, **usual).cost
    for other in (
        {"lead_time": 0},
        {"lead_time": 2},
        {"review": 2},
        {"holding": 2.0},
        {"shortage": 5.0},
        {"count_owed": False},
    ):
        assert run_stock(level, sold, **{**usual, **other}).cost != plain


@pytest.mark.parametrize("lead_time", [0, 1, 3])
@pytest.mark.parametrize("review", [1, 2])
@pytest.mark.parametrize("count_owed", [True, False])
def test_it_agrees_with_a_loop_over_pieces(lead_time: int, review: int, count_owed: bool) -> None:
    draw = np.random.default_rng(1)
    sold, level = draw.poisson(1.0, (5, 9)), draw.integers(0, 4, (5, 9)).astype(float)
    given = {"lead_time": lead_time, "review": review, "count_owed": count_owed, **COSTS}
    ran = run_stock(level, sold, **given)
    for i in range(5):
        shelf, owed, coming = level[i, 0], 0.0, {}
        for t in range(9):
            shelf += coming.pop(t, 0.0)
            handed = min(shelf, owed)
            shelf, owed = shelf - handed, owed - handed
            if t % review == 0:
                there = shelf - (owed if count_owed else 0.0) + sum(coming.values())
                order = max(level[i, t] - there, 0.0)
                if lead_time:
                    coming[t + lead_time] = order
                else:
                    handed = min(order, owed)
                    shelf, owed = shelf + order - handed, owed - handed
            served = min(shelf, sold[i, t])
            shelf, owed = shelf - served, owed + sold[i, t] - served
            assert ran.served_IT[i, t] == served
            assert ran.cost_IT[i, t] == shelf + 9 * owed


def test_methods_agree_with_plain_versions() -> None:
    draw = np.random.default_rng(2)
    past = draw.poisson(0.4, (30, 30)).astype(float) * draw.integers(1, 4, (30, 1))
    past[0] = 0.0
    found = {name: level(past) for name, level in methods_for(Cover(2, 0.9)).items()}
    last = past[:, -24:]
    sums = [sorted(row[k] + row[k + 1] for k in range(23))[20] for row in last]  # ceil(.9 * 22)
    assert found["quantile of 24 periods"].tolist() == sums
    poisson = stats.poisson.ppf(0.9, 2 * last.mean(1)).clip(0)
    assert found["mean of 24 periods, Poisson"].tolist() == poisson.tolist()
    mean = np.array([0.0, 1e-9, 0.1, 3.0, 900.0])
    assert poisson_quantile(mean, 0.95).tolist() == stats.poisson.ppf(0.95, mean).tolist()
    assert found["Croston, Poisson"][0] == 0.0
    once = np.array([[0.0, 0.0, 6.0, 0.0, 0.0, 4.0, 0.0]])
    assert croston(once, kind="croston")[0] == pytest.approx((6 - 0.2) / 3)
    assert croston(once, kind="sba")[0] == pytest.approx(0.95 * (6 - 0.2) / 3)
    still = np.hstack([once, np.zeros((1, 20))])
    assert tsb(still)[0] < 0.2 * tsb(once)[0]
