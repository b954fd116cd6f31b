"""A federation's server between machines: a Flower SuperLink with TLS, and the run it serves."""

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from modalloy.errors import FederationError
from modalloy.federation.flower import internals
from modalloy.federation.flower.certificates import Certificates, certificates, split_address
from modalloy.federation.flower.children import child, environment, last_words, runs
from modalloy.federation.flower.orders import read_facts, write_facts
from modalloy.federation.flower.run_superlink import GUARDED
from modalloy.federation.flower.server_end import ENDED, STARTED

START_S = 180.0  # a program of Flower's on a busy machine
LOOK_S = 0.2
CONNECTION = "here"
APP = {
    "pyproject.toml": """\
[project]
name = "modalloy-federation"
version = "1.0.0"
description = "Both ends are the installed modalloy"
license = "Apache-2.0"
dependencies = []

[tool.flwr.app]
publisher = "modalloy"

[tool.flwr.app.components]
serverapp = "federation:server"
clientapp = "federation:site"
""",
    "federation.py": """\
\"\"\"Both ends are the installed modalloy; a site runs its own whatever stands here.\"\"\"

from flwr.clientapp import ClientApp

from modalloy.federation.flower import server_end

server = server_end.app
site = ClientApp()
""",
}


def serve_federation(
    server: str,
    arguments: Mapping[str, str],
    *,
    address: str,
    folder: Path,
    certificates_folder: Path,
    sites: int,
    timeout_s: float = 600.0,
) -> None:
    """Run a server's function over the sites that join, and return when it has ended.

    server: `package.module:function`, called with the sites and the arguments in a process of its
    own. address: HOST:PORT, by the name that sites use. folder: for what Flower and we write.
    certificates_folder: with ca.pem, server.pem and server.key, which are made in an empty one;
    `sites/NAME.pub` in it, if there, are the keys of the only sites that may join. sites: how many
    to wait for, for at most timeout_s. FederationError where they do not come, where the function
    fails (its own sentence), or where Flower does.
    """
    internals.check_version()
    host, port = split_address(address)
    files = certificates(certificates_folder, host)
    keys = sorted((certificates_folder / "sites").glob("*.pub"))
    home = folder / "flower"
    home.mkdir(parents=True, exist_ok=True)
    orders = {
        "run": uuid.uuid4().hex,
        "pid": os.getpid(),
        "server": server,
        "arguments": dict(arguments),
        "sites": sites,
        "timeout_s": timeout_s,
    }
    write_facts(home / "orders.json", orders)
    env, log = environment(home, home / "orders.json"), home / "superlink.log"
    options = ["--host", host, "--port", str(port)]
    for option, path in zip(("ca-certfile", "certfile", "keyfile"), files, strict=True):
        options += [f"--ssl-{option}", str(path)]
    if keys:
        options.append("--enable-supernode-auth")
    module = "modalloy.federation.flower.run_superlink"
    with child(module, options, env, log) as process:
        _await_guard(process, address, files, log)
        _connect(home, address, files)
        for key in keys:
            _flwr(home, env, "supernode", "register", str(key), CONNECTION, "--name", key.stem)
        _flwr(home, env, "run", str(_app(home)), CONNECTION)
        failed = _await_end(process, home, orders["run"], log)
    if failed:
        raise FederationError(failed)


def _await_guard(process: subprocess.Popen, address: str, files: Certificates, log: Path) -> None:
    """Wait until the SuperLink answers, with our guard before it."""
    context = ssl.create_default_context(cafile=str(files.ca))
    host, port = split_address(address)
    here = f"https://{_near(host)}:{port}{GUARDED}"

    def answers() -> bool:
        try:
            with urllib.request.urlopen(here, timeout=5, context=context):
                return True
        except urllib.error.HTTPError as error:
            raise FederationError(
                "the SuperLink started without our guard before it, so that whoever reaches it "
                f"could run programs here; install one of flwr {', '.join(internals.TESTED)}."
            ) from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise FederationError(
                    f"{files.server} is no certificate of {_near(host)} that {files.ca} vouches "
                    f"for ({error.reason.verify_message}); the server's own programs call it so."
                ) from error
            return False
        except OSError:
            return False

    _await(answers, process, log, START_S, f"the SuperLink did not start at {address}")


def _await_end(process: subprocess.Popen, home: Path, run: str, log: Path) -> str:
    """Wait for the server's function to end; why it failed, or ""."""
    started, ended = (home / name.format(run=run) for name in (STARTED, ENDED))
    late = "Flower did not start the server's function"
    _await(started.exists, process, log, START_S, late)
    pid = read_facts(started)["pid"]

    def over() -> bool:
        if not runs(pid) and not ended.exists():
            raise FederationError(
                f"the server's process was killed; start it again to go on. {log} ends with: "
                f"{last_words(log)}"
            )
        return ended.exists()

    try:
        _await(over, process, log, float("inf"), "")
        return read_facts(ended)["failed"]
    finally:
        if not ended.exists() and runs(pid):
            os.kill(pid, signal.SIGKILL)
        for path in (started, ended):
            path.unlink(missing_ok=True)


def _await(
    ready: Callable[[], bool], process: subprocess.Popen, log: Path, longest_s: float, late: str
) -> None:
    """Wait until something is so; FederationError when the child ends before, or late."""
    end = time.monotonic() + longest_s
    while not ready():
        if process.poll() is not None:
            raise FederationError(f"the SuperLink has ended; {log} ends with: {last_words(log)}")
        if time.monotonic() > end:
            raise FederationError(f"{late} within {longest_s:g} s; {log}: {last_words(log)}")
        time.sleep(LOOK_S)


def _near(host: str) -> str:
    """How programs of this machine call the server."""
    near = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
    return f"[{near}]" if ":" in near and not near.startswith("[") else near


def _connect(home: Path, address: str, files: Certificates) -> None:
    """Tell Flower's own program where the SuperLink is."""
    host, port = split_address(address)
    (home / "config.toml").write_text(
        f'[superlink]\ndefault = "{CONNECTION}"\n\n[superlink.{CONNECTION}]\n'
        f"address = {json.dumps(f'{_near(host)}:{port}')}\n"
        f"root-certificates = {json.dumps(str(files.ca.absolute()))}\n"
    )


def _app(home: Path) -> Path:
    """Our app as Flower wants it: a folder of files."""
    folder = home / "modalloy-federation"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, text in APP.items():
        (folder / name).write_text(text)
    return folder


def _flwr(home: Path, env: Mapping[str, str], *command: str) -> None:
    """One command of Flower's own program; FederationError with its words where it fails."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "flwr"), *command],
        env=dict(env),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )
    if done.returncode:
        words = " ".join((done.stderr + done.stdout).split())
        raise FederationError(f"flwr {' '.join(command[:2])} failed: {words}")
