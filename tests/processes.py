"""Tiny processes of buying whose optimum is known: tables of lessons, and exact dynamic programming
over what their rows look like.
"""

import numpy as np

from modalloy.economy.lessons import Lessons

NAMES = ("a", "b", "c")


def process(kind_N: np.ndarray, solved_by: dict[int, set[int]], cost: tuple[float, ...]) -> Lessons:
    """Rows of some kinds. The first input tells the kind; a set of inputs answers a row right where
    it holds all that its kind needs. What is seen of a row is what it has bought and how sure the
    answer is: right answers are surer.
    """
    rows, count = len(kind_N), len(cost)
    kinds = max(solved_by) + 1
    bought_SM = (np.arange(1 << count)[:, None] >> np.arange(count) & 1).astype(bool)
    right_SN = np.array(
        [[all(own[m] for m in solved_by[k]) for k in kind_N.tolist()] for own in bought_SM]
    )
    x_SNF = np.zeros((len(bought_SM), rows, 1 + kinds), dtype=np.float32)
    x_SNF[:, :, 0] = 0.5
    for s, own in enumerate(bought_SM):
        if own[0]:
            x_SNF[s, :, 0] = np.where(right_SN[s], 0.9, 0.6)
            x_SNF[s, np.arange(rows), 1 + kind_N] = 1.0
    share = np.array(cost) / sum(cost)
    worse_SN = (~right_SN).astype(float)
    there = np.ones((rows, count), dtype=bool)
    return Lessons(NAMES[:count], share, x_SNF, worse_SN, np.zeros_like(worse_SN), there)


def told_by_the_first(rows: int = 120) -> Lessons:
    """The first input, which is cheap, is enough for most rows, and says which of the others the
    rest needs."""
    kind_N = np.arange(rows) % 6 // 4 + (np.arange(rows) % 6 == 5)  # 4 : 1 : 1
    return process(kind_N, {0: {0}, 1: {1}, 2: {2}}, (1.0, 3.0, 6.0))


def worth_nothing_alone(rows: int = 120) -> Lessons:
    """The first input answers nothing and says which of the two others does."""
    return process(np.arange(rows) % 2, {0: {1}, 1: {2}}, (1.0, 5.0, 5.0))


def exact(lessons: Lessons, price: float) -> float:
    """What the best policy of all loses and pays on average: rows that look alike are treated
    alike."""

    def best(s: int, rows: np.ndarray) -> float:
        total = 0.0
        for look in np.unique(lessons.x_SNF[s, rows], axis=0):
            own = rows[(lessons.x_SNF[s, rows] == look).all(1)]
            ways = [float(lessons.risk_SN[s, own].sum())]
            for m, cost in enumerate(lessons.cost_M):
                if not s >> m & 1:
                    ways.append(price * cost * len(own) + best(s | 1 << m, own))
            total += min(ways)
        return total

    return best(0, np.arange(len(lessons))) / len(lessons)
