"""The two ends of a federation as Flower apps: a site's answers, and a server that asks sites."""

import logging
from collections.abc import Callable
from typing import Any, Protocol

from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from modalloy.errors import ModalloyError
from modalloy.federation.flower.records import carried, carry, said, say

log = logging.getLogger("modalloy.federation")

ANSWER = "train"  # kinds of message, in Flower's words
GREET = "query.greet"
FAREWELL = "query.farewell"


class Site(Protocol):
    """A plant's end of a federation."""

    def answer(self, data: bytes) -> bytes:
        """One message in, its answer out."""


def site_app(
    site: Callable[[Context], Site],
    *,
    greet: Callable[[Context], dict[str, Any]],
    farewell: Callable[[Context, str], None],
    describe: Callable[[Exception], str],
) -> ClientApp:
    """A Flower ClientApp that answers for a site.

    site: the site that a message is for. greet: facts that a site gives of itself when it joins.
    farewell: told when the federation has ended, with why it failed or "". describe: what the
    server is told of an error; the error itself is logged here.
    """
    app = ClientApp()

    @app.train()
    def answer(message: Message, context: Context) -> Message:
        try:
            content = carry(site(context).answer(carried(message.content)))
        except Exception as error:
            if isinstance(error, ModalloyError):
                log.info("a message could not be answered: %s", error)
            else:
                log.warning("a message could not be answered", exc_info=error)
            content = say({"failed": describe(error)})
        return Message(content, reply_to=message)

    @app.query("greet")
    def greeting(message: Message, context: Context) -> Message:
        return Message(say(greet(context)), reply_to=message)

    @app.query("farewell")
    def ending(message: Message, context: Context) -> Message:
        farewell(context, str(said(message.content)["failed"]))
        return Message(say({}), reply_to=message)

    return app


def server_app(run: Callable[[Grid], None]) -> ServerApp:
    """A Flower ServerApp that hands its grid to a function."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        run(grid)

    return app
