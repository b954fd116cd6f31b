"""A server and two sites as processes of their own, over TLS; one of them is killed on the way."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import modalloy as ma
from modalloy.federation.federate_run import ROUNDS
from modalloy.federation.rounds_folder import HISTORY
from modalloy.job.job_file import save_job
from plants import job_of, rows_of

LONGEST_S = 420.0


@contextmanager
def running(folder: Path, name: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command of modalloy in a process group of its own, its words in a file."""
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (folder / f"{name}.log").open("wb") as log:
        given = {"cwd": folder, "env": env, "stdout": log, "stderr": log}
        process = subprocess.Popen(
            [sys.executable, "-m", "modalloy", *words], start_new_session=True, **given
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def until(ready: Callable[[], bool], what: str, folder: Path) -> None:
    """Wait for something; fail with the logs where it does not come."""
    end = time.monotonic() + LONGEST_S
    while not ready():
        if time.monotonic() > end:
            logs = "\n".join(f"{p.name}: {p.read_text()[-800:]}" for p in folder.glob("*.log"))
            pytest.fail(f"{what} did not come\n{logs}")
        time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.mark.timeout(900)
def test_two_sites_over_tls_of_which_one_is_killed(tmp_path: Path) -> None:
    save_job(job_of(rounds=3, deadline_s=60), tmp_path / "job.yaml")
    for site, seed in (("A", 1), ("B", 2)):
        rows_of(120, seed).to_csv(tmp_path / f"{site}.csv", index=False)
    address, rounds = f"localhost:{free_port()}", tmp_path / "run" / ROUNDS / HISTORY

    def site_words(site: str) -> list[str]:
        own = ["--table", f"{site}.csv", "--name", site]
        return ["site", "job.yaml", *own, "--join", address, "--ca", "certs/ca.pem"]

    words = ["--superlink", address, "--certificates", "certs", "--count", "2", "-o", "run"]
    with running(tmp_path, "server", "federate", "job.yaml", *words) as server:
        until((tmp_path / "certs" / "ca.pem").is_file, "the certificate", tmp_path)
        with (
            running(tmp_path, "A", *site_words("A")) as a,
            running(tmp_path, "B", *site_words("B")) as b,
        ):
            until(lambda: rounds.is_file() or server.poll() is not None, "a round", tmp_path)
            os.killpg(b.pid, signal.SIGKILL)
            until(lambda: server.poll() is not None, "the end", tmp_path)
            until(lambda: a.poll() is not None, "the end of A", tmp_path)
            assert a.returncode == 0, (tmp_path / "A.log").read_text()
    assert server.returncode == 0, (tmp_path / "server.log").read_text()
    lines = [json.loads(line) for line in rounds.read_text().splitlines()]
    assert lines[0]["sites"] == ["A", "B"]
    assert lines[-1]["sites"] == ["A"]
    run = ma.load_run(tmp_path / "run")
    assert any(text.startswith("B: did not answer") for text in run.notes["federated"]["said"])
    said = ma.predict(tmp_path / "A.site" / "run", rows_of(50, 3).drop(columns="fault"))
    assert (said["fault"].to_numpy() == rows_of(50, 3)["fault"].to_numpy()).mean() > 0.6
