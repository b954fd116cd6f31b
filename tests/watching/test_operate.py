"""docs/operate.md, line by line: serve, ask, label, watch, drift, refresh, and the way back."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from loops import PLAN, SHIFT, rows_of, serve, train
from modalloy.cli import app
from modalloy.deployment.deployment import Deployment

pytest.importorskip("fastapi")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "operate.md"
LINES = [
    "modalloy demo -o demo",
    "modalloy serve demo/run",
    "curl predict",
    "curl feedback",
    "modalloy watch run --labels labels.csv --source inspection",
    "modalloy watch run --table new.csv",
    "modalloy watch run --status",
    "modalloy watch run --refresh",
    "modalloy watch run --refresh-if-due",
    "modalloy serve run --unit units",
    "modalloy rollback run",
]
PATIENCE_S = 120.0
UNREAD = ["kind", "machine"]  # columns that the model does not know of a row


def lines() -> list[str]:
    """The commands of the page, in order; what curl asks for by the route alone."""
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.M | re.S):
        for line in block.strip().splitlines():
            route = re.search(r"http://[^/]+/(\w+)", line)
            found.append(f"curl {route[1]}" if route else line)
    return found


class Server:
    """A server of `run` in this folder, in a process of its own."""

    def __init__(self) -> None:
        given = [sys.executable, "-m", "modalloy", "serve", "run", "--port", "0"]
        self.process = subprocess.Popen(
            given,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line
        self.address = found[0].rstrip(".")

    def ask(self, route: str, body: Any = None) -> Any:
        """What a route answers."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.address}/{route}", data, headers)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answered:
            return json.loads(answered.read())

    def wait_for(self, version: int) -> None:
        """Until this version answers."""
        last = time.monotonic() + PATIENCE_S
        while self.ask("model")["version"] != version:
            assert time.monotonic() < last, "the server did not take the version"
            time.sleep(0.2)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """It serves a run whose sensor is about to drift."""
    (tmp_path / "trained").mkdir()
    serve(train(tmp_path / "trained"), tmp_path, plan=PLAN)
    monkeypatch.chdir(tmp_path)
    found = Server()
    yield found
    found.process.terminate()
    found.process.wait(timeout=PATIENCE_S)
    assert found.process.stdout is not None
    found.process.stdout.close()


def run_line(line: str) -> str:
    """What a command prints."""
    done = CliRunner().invoke(app, shlex.split(line)[1:])
    assert done.exit_code == 0, f"{line}\n{done.output}"
    return done.stdout


def test_the_page_names_what_is_run_here() -> None:
    assert lines() == LINES


def test_serve_drift_refresh_and_back(server: Server) -> None:
    frame = rows_of(160, seed=11, shift=SHIFT)
    rows = frame.drop(columns=UNREAD).to_dict("records")
    probe = {"rows": rows_of(5, seed=12).drop(columns=UNREAD).to_dict("records")}
    before = [r["answer"] for r in server.ask("predict", probe)["rows"]]
    ids = [r["id"] for r in server.ask("predict", {"rows": rows})["rows"]]
    for name, label in zip(ids[:80], frame["kind"], strict=False):
        assert server.ask("feedback", {"id": name, "task": "kind", "label": label})["kept"]
    labels = pd.DataFrame({"row_id": ids, "kind": frame["kind"]})[80:]
    labels.to_csv("labels.csv", index=False)
    frame.drop(columns="kind").to_csv("new.csv", index=False)
    assert run_line(LINES[4]).startswith("80 labels were kept, given by inspection")
    assert "heat" in run_line(LINES[5])
    assert "Version 1 answers" in run_line(LINES[6])
    assert "swapped: version 2 answers instead of 1." in run_line(LINES[7])
    server.wait_for(2)
    after = [r["answer"] for r in server.ask("predict", {"rows": rows})["rows"]]
    assert len(after) == 160
    assert "swapped" not in run_line(LINES[8])
    assert run_line(LINES[9]).count("units/modalloy-") == 3
    assert run_line(LINES[10]).startswith("Version 1 answers again: ")
    server.wait_for(1)
    assert [r["answer"] for r in server.ask("predict", probe)["rows"]] == before
    states = [r.state for r in Deployment.open(Path("run.live")).history()]
    assert states[0] == "made"
    assert states[-2:] == ["swapped", "rolled back"]
