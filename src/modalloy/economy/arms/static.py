"""The best static subset: the same columns for every row, whatever they say."""

from collections.abc import Sequence

import numpy as np

from modalloy.economy.lessons import Lessons
from modalloy.policy.rules import Rule, Subset

NAME = "static subset"


def fit(lessons: Lessons, prices: Sequence[float], *, seed: int) -> list[Rule]:
    """For each price the set that loses and costs least, by looking at all of them.

    prices: worse decisions that saving the cost of all inputs is worth. seed: not used, nothing is
    drawn here.
    """
    del seed
    risk_S = lessons.risk_SN.mean(1)
    cost_S = np.array([lessons.there_NM @ (own_M * lessons.cost_M) for own_M in lessons.bought_SM])
    cost_S = cost_S.mean(1)
    best = [int(np.argmin(risk_S + price * cost_S)) for price in prices]
    return [Subset(lessons.bought_SM[s]) for s in best]
