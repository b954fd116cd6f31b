"""Servers in processes of their own: ours, and LitServe around the same graphs."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.line import ROOT
from bench.serving.load import Load

PATIENCE_S = 60
ONE = {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
OURS = """
import json, sys
import modalloy as ma
ma.serve(sys.argv[1], port=int(sys.argv[2]), live=sys.argv[3], tell=lambda line: None,
         **json.loads(sys.argv[4]))
"""
# As LitServe's guide does it: what is batched is one graph call, texts are cut into pieces before.
LITSERVE = """
import sys
import litserve
import numpy as np
from modalloy.answer.predictor import Predictor
from modalloy.table.open_table import open_table

class Api(litserve.LitAPI):
    def setup(self, device):
        self.predictor = Predictor(sys.argv[1], threads=1)
        self.names = self.predictor.run.targets["answer"].names

    def decode_request(self, request):
        return request["rows"][0]

    def predict(self, rows):
        many = rows if isinstance(rows, list) else [rows]
        loader, _ = self.predictor.open(open_table(many))
        engine = self.predictor.engine
        with engine.answering():
            given = loader.batch(np.arange(len(many)))
            decided = engine.decide(engine.encode(given, engine.inputs))
        (raw_BC,) = decided.tasks["answer"].values()
        odds_BC = np.exp(raw_BC - raw_BC.max(1, keepdims=True))
        odds_BC /= odds_BC.sum(1, keepdims=True)
        said = [
            {"answer": self.names[p.argmax()], "p": dict(zip(self.names, p.tolist()))}
            for p in odds_BC
        ]
        return said if isinstance(rows, list) else said[0]

    def encode_response(self, output):
        return output

if __name__ == "__main__":
    batch = int(sys.argv[3])
    more = {"max_batch_size": batch, "batch_timeout": 0.004} if batch > 1 else {}
    api = Api(**more)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    quiet = {"log_level": "error", "generate_client_file": False}
    server.run(host="127.0.0.1", port=int(sys.argv[2]), **quiet)
"""


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def ours(model: Path, live: Path, **options: Any) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Our server on a port. options: of `modalloy.serve`."""
    port = free_port()
    words = [sys.executable, "-c", OURS, str(model), str(port), str(live), json.dumps(options)]
    with running(words, port) as process:
        yield port, process


@contextmanager
def litserve(model: Path, folder: Path, batch: int) -> Iterator[int]:
    """LitServe on a port, at most `batch` requests together, after at most 4 ms."""
    port, script = free_port(), folder / "litserve_api.py"
    script.write_text(LITSERVE)
    with running([sys.executable, str(script), str(model), str(port), str(batch)], port):
        yield port


@contextmanager
def running(words: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process that listens at a port; it and its children are gone afterwards."""
    process = subprocess.Popen(words, env=os.environ | ONE, start_new_session=True)
    try:
        until = time.monotonic() + PATIENCE_S
        while not listens(port):
            assert process.poll() is None, "the server ended before it listened"
            assert time.monotonic() < until, "the server does not listen"
            time.sleep(0.1)
        yield process
    finally:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, sign)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    continue


def listens(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def loaded(
    port: int, path: str, bodies: list[Any], *, clients: int, seconds: float, most: int = 10**9
) -> Load:
    """Load from a process of its own."""
    given = {"port": port, "path": path, "bodies": bodies, "clients": clients}
    done = subprocess.run(
        [sys.executable, "-m", "bench.serving.load"],
        input=json.dumps(given | {"seconds": seconds, "most": most}),
        capture_output=True, text=True, check=True, cwd=ROOT, env=os.environ | ONE,
    )  # fmt: skip
    return Load(*json.loads(done.stdout))


def resident_mb(process: subprocess.Popen[bytes]) -> float:
    """Memory of a process that lies in RAM."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    found: Mapping[str, str] = dict(re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE))
    return int(found["VmRSS"]) / 1024
