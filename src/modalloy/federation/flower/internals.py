"""What we take from inside Flower, all of it here, and the versions that this was tested with.

Flower releases twice a month and its internal names move. Nothing else in this package imports a
module of Flower's that its documentation does not name.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import version
from typing import Any

from modalloy.errors import FederationError
from modalloy.machine.imports import require

TESTED = ("1.40", "1.41", "1.42")
SERVER_NODE = 1  # Flower's own number of the server among the nodes
RUN = 1  # the number of the only run in this process
JOINED = b"SuperNode ID"  # what a SuperNode prints once a server has let it in


def check_version(installed: str | None = None) -> None:
    """Refuse a Flower that this was not tested with; FederationError, JobError without Flower.

    installed: its version; None asks the environment.
    """
    require("flwr", "federated", "a federation")
    installed = installed or version("flwr")
    if ".".join(installed.split(".")[:2]) not in TESTED:
        raise FederationError(
            f"flwr {installed} is installed, and federations were tested with flwr "
            f"{', '.join(TESTED)}; run: pip install 'flwr>={TESTED[0]},<={TESTED[-1]}.*'"
        )


def identify_server() -> None:
    """Say to Flower that this process is a server, as its own launcher would; else no message can
    be made here."""
    identity = _inside("flwr.supercore.task_identity", "TaskIdentity")
    identity.task_id, identity.run_id, identity.node_id = 1, RUN, SERVER_NODE


def empty_run() -> Any:
    """The record of the only run in this process."""
    return _inside("flwr.supercore.run", "Run").create_empty(RUN)


def set_number(message: Any, number: str) -> None:
    """Give a message its number, which answers bear; between machines Flower itself gives it."""
    message.metadata.__dict__["_message_id"] = number


def run_superlink(guard: type) -> None:
    """`flower-superlink` in this process, which reads its options from sys.argv.

    guard: an ASGI middleware that sees every request before Flower does.
    """
    from starlette.middleware import Middleware

    theirs = _inside("flwr.superlink.extensions", "get_middleware")
    _replace("flwr.superlink.extensions", get_middleware=lambda: (Middleware(guard), *theirs()))
    _inside("flwr.superlink.cli", "flower_superlink")()


def run_supernode() -> None:
    """`flower-supernode` in this process, which reads its options from sys.argv."""
    _inside("flwr.supernode.cli", "flower_supernode")()


def run_clientapp(app: Any) -> None:
    """`flwr-clientapp` in this process, running app whatever code the server has sent.

    The code that came is neither unpacked nor imported.
    """
    _replace(
        "flwr.supernode.runtime.run_clientapp",
        install_from_fab=lambda *_, **__: None,
        get_load_client_app_fn=lambda **_: lambda *_: app,
    )
    _inside("flwr.supernode.cli", "flwr_clientapp")()


def commands_of_tasks() -> Mapping[str, str]:
    """The commands that Flower starts for what a server asks: kind of task -> command."""
    commands = _inside("flwr.supercore.constant", "TASK_TYPE_TO_COMMAND")
    return {str(kind.value): command for kind, command in commands.items()}


def _replace(module: str, **ours: Callable) -> None:
    """Put functions of ours in the place of Flower's; FederationError where those are gone."""
    for name, function in ours.items():
        _inside(module, name)
        setattr(import_module(module), name, function)


def _inside(module: str, name: str) -> Any:
    """Something of Flower's that it does not document; FederationError where it is gone."""
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise FederationError(
            f"flwr {version('flwr')} has no {module}.{name}; install one of the versions that "
            f"federations were tested with: {', '.join(TESTED)}"
        ) from error
