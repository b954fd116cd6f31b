"""A window of a stream that forgets what is no longer true: ADWIN (Bifet & Gavaldà 2007)."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

EVERY = 8  # numbers between two looks
BUCKETS = 5  # of one size, before two of them become one
LEAST = 5  # numbers on both sides of a cut


class Bucket(NamedTuple):
    """Numbers that came one after another: how many, their sum, and their squared deviations."""

    count: int
    sum: float
    squares: float


class Adwin:
    """Takes numbers of a stream one by one, in memory of the logarithm of how many came.

    delta: the chance of a false alarm at any one look, by the bound with the variance of the
    window. Ours looks after every eighth number, at every border of two buckets.
    """

    def __init__(self, delta: float = 0.002) -> None:
        self.delta = delta
        self.buckets: list[Bucket] = []  # the oldest first
        self.seen = 0

    @property
    def count(self) -> int:
        """Numbers in the window."""
        return sum(b.count for b in self.buckets)

    @property
    def mean(self) -> float:
        """Of the window; 0 where it is empty."""
        return sum(b.sum for b in self.buckets) / max(self.count, 1)

    def add(self, x: float) -> bool:
        """Take the next number; whether the window has just lost what came before a change."""
        self.seen += 1
        self.buckets.append(Bucket(1, float(x), 0.0))
        self._compress()
        if self.seen % EVERY:
            return False
        cut = False
        while self._cut():
            cut = True
        return cut

    def _compress(self) -> None:
        """Put the two oldest buckets of a size together where there are too many of it."""
        size = 1
        while True:
            own = [i for i, b in enumerate(self.buckets) if b.count == size]
            if len(own) <= BUCKETS:
                return
            i = own[0]
            self.buckets[i : i + 2] = [merged(self.buckets[i], self.buckets[i + 1])]
            size *= 2

    def _cut(self) -> bool:
        """Drop the oldest bucket where some border shows a change."""
        if len(self.buckets) < 2:
            return False
        whole = Bucket(0, 0.0, 0.0)
        for b in self.buckets:
            whole = merged(whole, b)
        variance = whole.squares / whole.count
        sharp = np.log(2.0 * np.log(max(whole.count, 3)) / self.delta)
        n0, sum0 = 0, 0.0
        for b in self.buckets[:-1]:
            n0, sum0 = n0 + b.count, sum0 + b.sum
            n1 = whole.count - n0
            if min(n0, n1) < LEAST:
                continue
            m = 1.0 / (1.0 / (n0 - LEAST + 1) + 1.0 / (n1 - LEAST + 1))
            bound = np.sqrt(2.0 / m * variance * sharp) + 2.0 / (3.0 * m) * sharp
            if abs(sum0 / n0 - (whole.sum - sum0) / n1) > bound:
                self.buckets.pop(0)
                return True
        return False


def merged(one: Bucket, other: Bucket) -> Bucket:
    """Both as one."""
    count = one.count + other.count
    if not one.count or not other.count:
        return other if other.count else one
    apart = one.sum / one.count - other.sum / other.count
    between = apart**2 * one.count * other.count / count
    return Bucket(count, one.sum + other.sum, one.squares + other.squares + between)


class Alarm(NamedTuple):
    """seen: numbers that had come when a change was noticed. began: the first that came after the
    change, as far as the window tells."""

    seen: int
    began: int


def alarms(stream: Iterable[float], *, delta: float = 0.002) -> list[Alarm]:
    """Every change that ADWIN notices in a stream."""
    window = Adwin(delta)
    return [Alarm(window.seen, window.seen - window.count) for x in stream if window.add(x)]
