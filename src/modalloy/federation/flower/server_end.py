"""The server's end between machines: a Flower ServerApp that runs the function of its orders."""

import logging
import os
from pathlib import Path

from flwr.serverapp import Grid

from modalloy.federation.flower.apps import server_app
from modalloy.federation.flower.children import die_with_parent
from modalloy.federation.flower.orders import ORDERS, load, read_facts, tell, write_facts
from modalloy.federation.flower.sites import GridSites

STARTED, ENDED = "started-{run}.json", "ended-{run}.json"  # run: of the orders
FAILED = "the server has stopped with an error; its operator knows more."

log = logging.getLogger("modalloy.federation")


def run(grid: Grid) -> None:
    """Wait for the sites, run the server's function over them, and write how it ended."""
    logging.basicConfig(level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    path = Path(os.environ[ORDERS])
    orders = read_facts(path)
    die_with_parent(orders["pid"])
    write_facts(path.with_name(STARTED.format(**orders)), {"pid": os.getpid()})
    sites, failed = GridSites(grid), ""
    try:
        function = load(orders["server"])
        sites.wait(orders["sites"], timeout_s=orders["timeout_s"])
        function(sites, orders["arguments"])
    except Exception as error:
        log.exception("the server has failed")
        failed = tell(error)
    sites.farewell(FAILED if failed else "")
    write_facts(path.with_name(ENDED.format(**orders)), {"failed": failed})


app = server_app(run)
