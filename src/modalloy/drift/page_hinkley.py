"""Whether the mean of a stream has risen: Page's cumulative sum, Hinkley's test (1954, 1971)."""

from collections.abc import Iterable


class PageHinkley:
    """Takes numbers of a stream one by one.

    slack: how far above the mean so far a number must lie to count, limit: the sum of such excess
    that is an alarm; both in the stream's own unit. `began`: the number at which the sum was last
    at its least, from which on the mean is higher.
    """

    def __init__(self, *, slack: float, limit: float) -> None:
        self.slack, self.limit = slack, limit
        self.seen = self.began = self.count = 0
        self.mean = self.sum = self.least = 0.0

    def add(self, x: float) -> bool:
        """Take the next number; whether the mean has risen. After an alarm it begins anew."""
        self.seen, self.count = self.seen + 1, self.count + 1
        self.mean += (x - self.mean) / self.count
        self.sum += x - self.mean - self.slack
        if self.sum <= self.least:
            self.least, self.began = self.sum, self.seen
        if self.sum - self.least <= self.limit:
            return False
        self.mean, self.count, self.sum, self.least = 0.0, 0, 0.0, 0.0
        return True


def rises(stream: Iterable[float], *, slack: float, limit: float) -> list[int]:
    """The numbers, counted from 0, at which the mean of a stream has risen noticeably."""
    test = PageHinkley(slack=slack, limit=limit)
    return [at for at, x in enumerate(stream) if test.add(x)]
