"""How many requests a second each client may send: a bucket of tokens that fills by itself."""

import time
from collections import OrderedDict
from collections.abc import Callable

from modalloy.errors import RequestError

CLIENTS = 10_000  # that are remembered; the one that asked longest ago is forgotten first


class Rate:
    """rate: requests a second of one client; so many may come at once. clock: seconds."""

    def __init__(self, rate: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.clock = rate, clock
        self.most = max(1.0, rate)
        self.buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> None:
        """Count a request; RequestError (429) where the client has sent too many."""
        now = self.clock()
        left, at = self.buckets.pop(client, (self.most, now))
        left = min(self.most, left + (now - at) * self.rate)
        refused = left < 1.0
        self.buckets[client] = (left if refused else left - 1.0, now)
        if len(self.buckets) > CLIENTS:
            self.buckets.popitem(last=False)
        if refused:
            wait_s = (1.0 - left) / self.rate
            raise RequestError(
                f"more than {self.rate:g} requests a second; slow down.", 429, retry_s=wait_s
            )
