"""A site's end between machines: the process that answers one message.

Flower would unpack and run what the server sends. Here the server's code is neither unpacked nor
imported: what answers is the site that this machine's own operator named.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flwr.app import Context
from flwr.clientapp import ClientApp

from modalloy.federation.flower import internals
from modalloy.federation.flower.apps import Site, site_app
from modalloy.federation.flower.orders import ORDERS, load, read_facts, write_facts

ENDED = "ended.json"


def ordered_app() -> ClientApp:
    """The app of the site that this process was ordered to be."""
    path = Path(os.environ[ORDERS])
    orders = read_facts(path)

    def site(context: Context) -> Site:
        return load(orders["site"])(orders["arguments"])

    def greet(context: Context) -> dict[str, Any]:
        return {"name": orders["name"], "mark": orders["mark"]}

    def farewell(context: Context, failed: str) -> None:
        write_facts(path.with_name(ENDED), {"failed": failed})

    return site_app(site, greet=greet, farewell=farewell, describe=describe)


def describe(error: Exception) -> str:
    """An error by its kind alone: its text may quote a row, and rows stay where they are."""
    return f"{type(error).__name__}; the site's own log says more"


def write_commands(folder: Path, command: Callable[[str], str]) -> None:
    """Programs that shadow Flower's: each command of a task -> what the shell runs instead."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in set(internals.commands_of_tasks().values()):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{command(name)}\n")
        path.chmod(0o755)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    internals.run_clientapp(ordered_app())
