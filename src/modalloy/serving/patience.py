"""How long a client may hold a connection without saying what it wants, or taking what it gets.

uvicorn waits without end for the heading of a request and for a client that reads nothing: a few
hundred such connections would leave no room for others (slow loris). What a body may take is looked
at by the gate, which has read the heading by then.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from modalloy.serving.limits import Limits

HEADING = 64 * 1024  # bytes of a heading at most


class Patience(asyncio.Protocol):
    """In front of one of uvicorn's protocols of HTTP: one connection.

    It is closed where no heading is whole `headers_s` after it was opened or since something came
    after its last answer, where a heading is longer than HEADING, where what was sent is not taken
    for `body_s`, and at once where `connections` are open already. early: bytes that came before
    the heading was whole.
    """

    limits: Limits
    connections: set[Any]  # these four are uvicorn's
    cycle: Any
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    early = 0
    heading: asyncio.TimerHandle | None = None
    taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for a first heading."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            transport.abort()
        else:
            self._await_heading()

    def data_received(self, data: bytes) -> None:
        """Some bytes: of a heading, or of a body that the gate waits for."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self.early = 0
            self._stop("heading")
        if self.cycle is None or self.cycle.response_complete:
            # A heading begins, or a body goes on that was refused already.
            self._await_heading()
            self.early += len(data)
            heading = self.cycle is None or not self.cycle.more_body
            if self.early > (HEADING if heading else self.limits.upload_bytes):
                self.transport.abort()

    def pause_writing(self) -> None:
        """The client takes less than is sent."""
        super().pause_writing()
        self._stop("taking")
        self.taking = self.loop.call_later(self.limits.body_s, self.transport.abort)

    def resume_writing(self) -> None:
        """It has taken enough."""
        super().resume_writing()
        self._stop("taking")

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        self._stop("heading")
        self._stop("taking")
        super().connection_lost(exc)

    def _await_heading(self) -> None:
        if self.heading is None:
            self.heading = self.loop.call_later(self.limits.headers_s, self.transport.abort)

    def _stop(self, name: str) -> None:
        timer = getattr(self, name)
        if timer is not None:
            timer.cancel()
            setattr(self, name, None)


def patient_protocol(
    limits: Limits, protocol: type[asyncio.Protocol] = AutoHTTPProtocol
) -> type[asyncio.Protocol]:
    """A protocol of uvicorn, the one that it would choose itself, with ends to its patience."""
    return type("Patient", (Patience, protocol), {"limits": limits})
