"""The server's end between machines: a Flower ServerApp that runs the function it was ordered to."""

import logging
import os
from pathlib import Path

from flwr.serverapp import Grid

from modalloy.federation.flower.apps import server_app
from modalloy.federation.flower.children import ORDERS, load, read_facts, tell, write_facts
from modalloy.federation.flower.sites import GridSites

STARTED, ENDED = "started.json", "ended.json"
FAILED = "the server has stopped with an error; its operator knows more."

log = logging.getLogger("modalloy.federation")


def run(grid: Grid) -> None:
    """Wait for the sites, run the server's function over them, and write how it ended."""
    logging.basicConfig(level=logging.INFO)
    path = Path(os.environ[ORDERS])
    orders = read_facts(path)
    write_facts(path.with_name(STARTED), {"pid": os.getpid()})
    sites, failed = GridSites(grid), ""
    try:
        function = load(orders["server"])
        sites.wait(orders["sites"], timeout_s=orders["timeout_s"])
        function(sites, orders["arguments"])
    except Exception as error:
        log.exception("the server has failed")
        failed = tell(error)
    sites.farewell(FAILED if failed else "")
    write_facts(path.with_name(ENDED), {"failed": failed})


app = server_app(run)
