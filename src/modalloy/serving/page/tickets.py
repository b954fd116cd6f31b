"""Paths that are good for one look, since a frame inside a page cannot send the page's token."""

import secrets
import time
from collections.abc import Callable

from modalloy.errors import RequestError

GOOD_S = 30.0
MOST = 1000  # that wait to be used; the oldest go first


class Tickets:
    """Made for who has a token; each lets one request in, within half a minute."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._ends: dict[str, float] = {}

    def make(self) -> str:
        """A new one, 256 bits of chance."""
        while len(self._ends) >= MOST:
            self._ends.pop(next(iter(self._ends)))
        ticket = secrets.token_urlsafe(32)
        self._ends[ticket] = self.clock() + GOOD_S
        return ticket

    def use(self, ticket: str) -> None:
        """RequestError (404) for one that was used, is too old, or never was."""
        end = self._ends.pop(ticket, None)
        if end is None or self.clock() > end:
            raise RequestError("this path was good for one look, which is over; ask again.", 404)
