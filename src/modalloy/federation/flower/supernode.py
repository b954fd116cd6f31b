"""A site's end between machines: a Flower SuperNode that asks the server for messages.

It opens no port to the network: the site calls the server, never the other way round.
"""

import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from modalloy.errors import FederationError
from modalloy.federation.flower import internals
from modalloy.federation.flower.certificates import reach
from modalloy.federation.flower.children import child, environment, free_port, last_words
from modalloy.federation.flower.orders import read_facts, write_facts
from modalloy.federation.flower.site_end import ENDED, write_commands

LOOK_S = 0.2
RETRY_S = 20.0  # of a SuperNode whose server is gone; then we wait for it ourselves
LAST_ANSWER_S = 3.0  # Flower looks for answers to send each half second


def join_federation(
    site: str,
    arguments: Mapping[str, str],
    *,
    name: str,
    address: str,
    ca: Path,
    folder: Path,
    key: Path | None = None,
    timeout_s: float = 600.0,
) -> None:
    """Answer a server's messages until it says that the federation has ended.

    site: `package.module:factory`, called with the arguments for each message, in a process of its
    own; it gives an object with `answer(bytes) -> bytes` that keeps what it must in its own folder.
    name: of this site, as the server knows it. address: HOST:PORT of the server. ca: the
    certificate that vouches for it. folder: for what Flower and we write; the same one again after
    an interruption. key: this site's private key, where the server knows its public one.
    timeout_s: how long to wait for the server, at first and after each interruption.
    FederationError where the server cannot be reached or trusted, does not let this site in, is
    gone for good, or ends in failure.
    """
    internals.check_version()
    home = folder / "flower"
    home.mkdir(parents=True, exist_ok=True)
    orders, log = home / "orders.json", home / "supernode.log"
    (home / ENDED).unlink(missing_ok=True)
    facts = {"site": site, "arguments": dict(arguments), "name": name, "mark": _mark(home)}
    write_facts(orders, facts)
    write_commands(home / "bin", _command)
    env = environment(home, orders, commands=home / "bin")
    options = ["--superlink", address, "--root-certificates", str(ca)]
    options += ["--max-wait-time", str(RETRY_S)]
    if key is not None:
        options += ["--auth-supernode-private-key", str(key)]
    while not (home / ENDED).exists():
        reach(address, ca, timeout_s=timeout_s)
        _answer([*options, "--port", str(free_port())], env, home, log)
    if failed := read_facts(home / ENDED)["failed"]:
        raise FederationError(failed)


def _answer(options: list[str], env: Mapping[str, str], home: Path, log: Path) -> None:
    """Answer until the federation has ended, or until the server has started again.

    FederationError where the server did not let this site in.
    """
    before = log.stat().st_size if log.exists() else 0
    with child("modalloy.federation.flower.run_supernode", options, env, log) as process:
        while process.poll() is None and not (home / ENDED).exists():
            time.sleep(LOOK_S)
        if process.poll() is None:
            time.sleep(LAST_ANSWER_S)
        elif internals.JOINED not in log.read_bytes()[before:]:
            raise FederationError(
                f"the server did not let this site in ({last_words(log, since=before)}); does it "
                "know this site's public key, and have both ends the same flwr?"
            )


def _command(name: str) -> str:
    """What runs instead of a program of Flower's: our own answer, or nothing."""
    if name == "flwr-clientapp":
        return f'exec {quote(sys.executable)} -m modalloy.federation.flower.site_end "$@"'
    return "echo 'a site runs nothing but its own answers' >&2; exit 1"


def _mark(home: Path) -> str:
    """What tells this site from another one of its name, the same after each start."""
    path = home / "mark.json"
    if not path.exists():
        write_facts(path, {"mark": uuid.uuid4().hex})
    return read_facts(path)["mark"]
