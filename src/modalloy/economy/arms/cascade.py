"""The confidence cascade: columns in one learned order, until the answer is sure enough."""

from collections.abc import Iterator, Sequence
from itertools import permutations

import numpy as np

from modalloy.economy.lessons import Lessons, follow
from modalloy.policy.rules import Cascade, Rule

NAME = "confidence cascade"
ALL_ORDERS_UP_TO = 3  # inputs; of more, an order is made input by input
LEVELS = (0.1, 0.25, 0.4, 0.55, 0.7, 0.8, 0.9, 0.95, 1.0)  # shares of rows that go on


def fit(lessons: Lessons, prices: Sequence[float], *, seed: int) -> list[Rule]:
    """For each price the order and the two thresholds - after the first purchase and after each
    later one - that lose and cost least, by trying a grid of them. seed: not used.
    """
    del seed
    tried: list[tuple[Cascade, float, float]] = []
    for order in orders(lessons):
        for rule in with_thresholds(lessons, order):
            found = follow(rule, lessons)
            tried.append((rule, float(found.risk_N.mean()), float(found.cost_N.mean())))
    return [min(tried, key=lambda t: t[1] + price * t[2])[0] for price in prices]


def orders(lessons: Lessons) -> Iterator[np.ndarray]:
    """Orders that are tried: all of few inputs, else those that greedy searches make."""
    count = len(lessons.names)
    if count <= ALL_ORDERS_UP_TO:
        yield from (np.array(order) for order in permutations(range(count)))
        return
    risk_S = lessons.risk_SN.mean(1)
    cost_M = np.maximum(lessons.cost_M, 1e-3)
    yield np.argsort(lessons.cost_M, kind="stable")
    for power in (0.0, 1.0):  # what lowers the risk most, and what does so per cost
        order: list[int] = []
        while len(order) < count:
            bought = sum(1 << m for m in order)
            rest = [m for m in range(count) if m not in order]
            gain = [(risk_S[bought] - risk_S[bought | 1 << m]) / cost_M[m] ** power for m in rest]
            order.append(rest[int(np.argmax(gain))])
        yield np.array(order)


def with_thresholds(lessons: Lessons, order: np.ndarray) -> Iterator[Cascade]:
    """The order with thresholds between the sureties that rows have on its way."""
    sets = np.cumsum(lessons.bits_M[order])[:-1]
    if not len(sets):
        yield Cascade(order, np.zeros(0))
        return
    first = between(lessons.x_SNF[sets[0], :, 0])
    later = between(lessons.x_SNF[sets[1:], :, 0].ravel()) if len(sets) > 1 else [0.0]
    for one in first:
        for other in later:
            yield Cascade(order, np.array([one] + [other] * (len(sets) - 1)))


def between(sure_N: np.ndarray) -> list[float]:
    """Thresholds midway between two sureties that rows have, and one above all of them."""
    value_V = np.unique(sure_N.astype(np.float64))
    at = np.unique(np.ceil(np.array(LEVELS) * (len(value_V) - 1)).astype(int))
    middle = (value_V[at[at > 0]] + value_V[at[at > 0] - 1]) / 2.0
    return [0.0, *middle.tolist(), np.inf]
