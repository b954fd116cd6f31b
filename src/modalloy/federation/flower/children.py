"""Flower's own programs as child processes: started so that they tell nobody, install nothing, and
end with their parent.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from modalloy.federation.flower.orders import ORDERS

STOP_S = 20.0
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.2",
}


def environment(home: Path, orders: Path, *, commands: Path | None = None) -> dict[str, str]:
    """The environment of a child. home: Flower's folder. commands: what shadows Flower's own."""
    programs = [str(commands)] if commands else []
    programs += [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    paths = os.pathsep.join(path for path in sys.path if path)
    own = {"FLWR_HOME": str(home), ORDERS: str(orders), "PYTHONPATH": paths}
    return os.environ | QUIET | own | {"PATH": os.pathsep.join(programs)}


@contextlib.contextmanager
def child(
    module: str, options: Sequence[str], env: Mapping[str, str], log: Path
) -> Generator[subprocess.Popen]:
    """A module of ours as a process of its own group, ended with the block. log: what it prints."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *options],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _stop(process)


def end_with_parent() -> None:
    """In a child: end, with all its group, when the process that started it is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.killpg(0, signal.SIGTERM)
        time.sleep(STOP_S)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def die_with_parent(pid: int) -> None:
    """Deep below a child: end at once when the process of a number, or the own parent, is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent and runs(pid):
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def runs(pid: int) -> bool:
    """Whether there is a process of that number, of this user's."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return own.getsockname()[1]


def last_words(log: Path, *, since: int = 0) -> str:
    """Why a child of Flower's says that it ended, or the end of what it has printed.

    since: the byte to read from.
    """
    text = COLOUR.sub("", log.read_bytes()[since:].decode(errors="replace")) if log.exists() else ""
    _, exited, why = text.rpartition("Exit Code:")
    lines = (
        why.partition("For more information")[0].splitlines()[1:] if exited else text.splitlines()
    )
    return " ".join(line.strip() for line in lines[-5:] if line.strip())


def _stop(process: subprocess.Popen) -> None:
    """End a child as Flower wishes it, then whatever is left of its group, which is ours alone."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
