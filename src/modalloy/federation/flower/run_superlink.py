"""The process of a SuperLink: Flower's own, with its control shut to other machines.

Flower 1.40 and later serve everything at one port, and let whoever reaches it start programs on the
server and its sites. Sites need /v1/fleet alone.
"""

from typing import Any

from modalloy.federation.flower import internals
from modalloy.federation.flower.children import end_with_parent

FOR_SITES = "/v1/fleet/"
GUARDED = "/modalloy/guarded"


class Guard:
    """An ASGI middleware: other machines may ask what sites need; the server's own may ask all."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, or refuse it with 403; GUARDED says that this stands in front."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == GUARDED:
            await _say(send, 200)
        elif scope["path"].startswith(FOR_SITES) or from_here(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await _say(send, 403)
        else:
            await send({"type": "websocket.close", "code": 1008})


def from_here(scope: Any) -> bool:
    """Whether a request comes from this machine: by its loopback, or from where it went to."""
    client, server = (scope.get(end) or ("", 0) for end in ("client", "server"))
    return client[0] in ("127.0.0.1", "::1") or (bool(client[0]) and client[0] == server[0])


async def _say(send: Any, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    end_with_parent()
    internals.run_superlink(Guard)
