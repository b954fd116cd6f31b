"""What orders for rows with a known demand really cost, beside usual methods."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from modalloy.judge.decided import COST, DECIDED, CostTally, priced
from modalloy.judge.metrics.bootstrap import paired_intervals
from modalloy.stock.methods import Cover, methods_for
from modalloy.stock.run import run_stock

NOTHING = "no stock"
MEAN = "the mean, rounded up"


class Sales(NamedTuple):
    """What rows say of a stock; rows first. use_B: whether a row is a test row."""

    item_B: np.ndarray
    period_B: np.ndarray
    sold_B: np.ndarray
    use_B: np.ndarray


class Tested(NamedTuple):
    """Test rows as a stock. at_IT: which test row each item and period is. past_IU: what was sold
    in the U periods before."""

    at_IT: np.ndarray
    sold_IT: np.ndarray
    past_IU: np.ndarray


def realised_orders(
    order: Any,
    level_B: np.ndarray,
    value_B: np.ndarray,
    truth: Sequence[float | None],
    sales: Sales | None,
    *,
    groups: Sequence[Any] | None = None,
) -> dict[str, Any]:
    """Mean cost, as `Report.decided` keeps it: of an item in a period where `sales` let a stock be
    run, else of a row, the demand of which then meets a stock of just that level.

    level_B, value_B: orders and means of the test rows.
    """
    tested = None if sales is None else as_stock(sales)
    if tested is not None:
        return stock_costs(order, level_B, value_B, tested)
    rows = np.flatnonzero([t is not None for t in truth])
    if not len(rows):
        return {}
    true_N = np.array([np.nan if t is None else float(t) for t in truth])[rows]

    def cost_of(level_N: np.ndarray) -> CostTally:
        left_N = level_N - true_N
        cost_N = order.holding * np.maximum(left_N, 0) + order.shortage * np.maximum(-left_N, 0)
        return CostTally(rows, cost_N)

    levels = {DECIDED: level_B[rows], MEAN: np.ceil(value_B[rows]), NOTHING: 0.0 * rows}
    found = beside({name: cost_of(level) for name, level in levels.items()}, groups)
    for name, level_N in levels.items():
        asked = true_N.sum()
        if asked:
            found[name]["fill"] = float(np.minimum(level_N, true_N).sum() / asked)
    return {"rows": len(rows), "positive": None, "policies": found, "shares": {}, "run": False}


def stock_costs(
    order: Any, level_B: np.ndarray, value_B: np.ndarray, tested: Tested
) -> dict[str, Any]:
    """Of a stock that each method runs over the test periods; items are drawn for intervals."""
    share = order.shortage / (order.shortage + order.holding)
    cover = Cover(order.lead_time + order.review, share)
    periods = tested.sold_IT.shape[1]
    whole_IV = np.concatenate([tested.past_IU, tested.sold_IT], 1)
    seen = tested.past_IU.shape[1]
    levels = {DECIDED: level_B[tested.at_IT], MEAN: np.ceil(value_B[tested.at_IT])}
    if seen >= 2 * cover.periods:
        for name, level in methods_for(cover).items():
            before = [whole_IV[:, : seen + t] for t in range(periods)]
            levels[name] = np.stack([level(past_IT) for past_IT in before], 1)
    given = {k: getattr(order, k) for k in ("lead_time", "review", "holding", "shortage")}
    ran = {name: run_stock(level, tested.sold_IT, **given) for name, level in levels.items()}
    rows = np.arange(len(tested.sold_IT))
    found = beside({n: CostTally(rows, r.cost_IT.mean(1)) for n, r in ran.items()}, None)
    for name, run in ran.items():
        found[name] |= {"fill": run.fill} if np.isfinite(run.fill) else {}
    about = {"rows": tested.at_IT.size, "positive": None, "shares": {}, "run": True}
    return about | {"policies": found, "items": len(rows), "periods": periods}


def beside(
    tallies: Mapping[str, CostTally], groups: Sequence[Any] | None
) -> dict[str, dict[str, Any]]:
    """Each policy's cost with its interval, and what the orders save beside it, in pairs."""
    found = {name: priced(tally, groups) for name, tally in tallies.items()}
    for name, tally in tallies.items():
        if name != DECIDED:
            ends = paired_intervals(tally, tallies[DECIDED], groups=groups)
            saved = {"value": found[name][COST] - found[DECIDED][COST]}
            found[name]["saves"] = saved | ({"interval": [*ends[COST]]} if COST in ends else {})
    return found


def as_stock(sales: Sales) -> Tested | None:
    """Items that have every test period once, and every period of the time before that is told
    without a gap; None where there is none, or the test periods leave a gap.
    """
    tested = np.unique(sales.period_B[sales.use_B])
    if not np.isfinite(tested).all() or not (np.diff(tested) == 1).all():
        return None
    earlier = np.unique(sales.period_B[~sales.use_B & (sales.period_B < tested[0])])
    behind = tested[0] - np.arange(len(earlier), 0, -1)
    earlier = earlier[np.logical_and.accumulate((earlier == behind)[::-1])[::-1]]
    every = np.concatenate([earlier, tested])
    known = np.isfinite(sales.sold_B) & np.isin(sales.period_B, every)
    known &= sales.use_B == np.isin(sales.period_B, tested)
    items, item_B = np.unique(sales.item_B, return_inverse=True)
    at_IV = np.full((len(items), len(every)), -1)
    times_IV = np.zeros(at_IV.shape, dtype=np.int64)
    where = (item_B[known], np.searchsorted(every, sales.period_B[known]))
    at_IV[where] = np.flatnonzero(known)
    np.add.at(times_IV, where, 1)
    at_IV = at_IV[(times_IV == 1).all(1)]
    if not len(at_IV):
        return None
    sold_IV, cut = sales.sold_B[at_IV], len(earlier)
    number_B = sales.use_B.cumsum() - 1  # of a row among the test rows
    return Tested(number_B[at_IV[:, cut:]], sold_IV[:, cut:], sold_IV[:, :cut])
