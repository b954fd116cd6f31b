"""Runs stocks of several items by amounts to order up to, and counts what that costs."""

from typing import NamedTuple

import numpy as np


class StockRun(NamedTuple):
    """I items over T periods. cost_IT: in the unit of the costs. served_IT: pieces handed out in
    the period that they were asked for, of sold_IT.
    """

    cost_IT: np.ndarray
    served_IT: np.ndarray
    sold_IT: np.ndarray

    @property
    def cost(self) -> float:
        """Mean cost of an item in a period."""
        return float(self.cost_IT.mean())

    @property
    def fill(self) -> float:
        """The share of pieces served at once; NaN where none was asked for."""
        asked = self.sold_IT.sum()
        return float(self.served_IT.sum() / asked) if asked else float("nan")


def run_stock(
    level_IT: np.ndarray,
    sold_IT: np.ndarray,
    *,
    lead_time: int,
    review: int,
    holding: float,
    shortage: float,
    count_owed: bool = True,
) -> StockRun:
    """Order up to a level at the start of each `review`-th period.

    level_IT: for an order in each period. sold_IT: what is asked for in it. An order's pieces come
    at the start of the period `lead_time` later, before anybody asks. What is not there is owed,
    costs `shortage` a period until it is, and is handed out first. Stock begins at the first level.
    count_owed: an order replaces what is owed too; without it, it looks at the shelf alone, and
    what was once owed stays owed until demand falls.
    """
    net_I = np.asarray(level_IT[:, 0], dtype=np.float64).copy()
    coming = [np.zeros(len(net_I)) for _ in range(lead_time)]
    cost_IT, served_IT = np.zeros(sold_IT.shape), np.zeros(sold_IT.shape)
    for t in range(sold_IT.shape[1]):
        if coming:
            net_I = net_I + coming.pop(0)
        there_I = net_I if count_owed else np.maximum(net_I, 0.0)
        order_I = np.maximum(level_IT[:, t] - there_I - sum(coming), 0.0)
        order_I = order_I if t % review == 0 else np.zeros(len(net_I))
        if lead_time:
            coming.append(order_I)
        else:
            net_I = net_I + order_I
        served_IT[:, t] = np.minimum(np.maximum(net_I, 0.0), sold_IT[:, t])
        net_I = net_I - sold_IT[:, t]
        cost_IT[:, t] = holding * np.maximum(net_I, 0.0) + shortage * np.maximum(-net_I, 0.0)
    return StockRun(cost_IT, served_IT, np.asarray(sold_IT, dtype=np.float64))
