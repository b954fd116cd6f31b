"""The loop of a served model, end to end, on a stream whose sensor drifts: alarm, refresh, swap;
then a refresh by wrong labels, which must not be taken; then back, to the bit.

`python -m bench.watch_loop` writes bench/results/watch_loop.json and the table in docs/operate.md.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import modalloy as ma
from bench.line import Line, publish
from modalloy.answer.predictor import Predictor
from modalloy.deployment.deployment import Deployment
from modalloy.deployment.row_log import RowLog
from modalloy.watching.cycle import refresh
from modalloy.watching.drifted import drifted
from modalloy.watching.served import note_drift

COMMAND = "python -m bench.watch_loop"
SHIFT = 20.0  # degrees that the sensor shows too much once it has drifted
WINDOW = 500  # rows of the stream that are looked at
JOB = {
    "split": {"column": "part"},
    "allow_leak": True,  # heat alone tells the kind here, as it is meant to
    "columns": {
        "heat": {"type": "number", "unit": "degC"},
        "waves": {"type": "series", "from": ["up"], "front": ["statistics"], "length": 24},
        "line": {"type": "category"},
    },
    "tasks": {"kind": {"type": "classify", "target": "kind"}},
    "train": {"epochs": 30, "batch": 32, "lr": 5e-3, "folds": 0},
    "blend": {"use": "never"},
    "refresh": {"or_when": "drift", "learn": 120, "judge": 80},
}


def stream(rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    """Parts that run hot or cold; their heat says which, and a wave says so less surely."""
    draw = np.random.default_rng(seed)
    hot = draw.integers(0, 2, rows)
    wave = draw.normal(0, 1.0, (rows, 24)) + 0.3 * hot[:, None]
    frame = pd.DataFrame({"heat": 20 + 3 * (2 * hot - 1) + draw.normal(0, 1.0, rows) + shift})
    frame["up"] = [*wave]
    frame["line"] = np.array(["a", "b"])[draw.integers(0, 2, rows)]
    frame["kind"] = np.array(["cold", "hot"])[hot]
    return frame


def train(folder: Path) -> Path:
    """The run that is served."""
    frame = stream(1500, 0)
    frame["part"] = np.array(["train", "train", "train", "val", "test"])[np.arange(1500) % 5]
    frame.to_parquet(folder / "parts.parquet", index=False)
    job = {**JOB, "table": str(folder / "parts.parquet")}
    return ma.train(job, out=folder / "run", quiet=True).path


def answer(deployment: Deployment, frame: pd.DataFrame, request: str) -> list[str]:
    """Rows as they come: answered by the version that answers, and kept."""
    cells = frame.drop(columns="kind")
    answers = Predictor(deployment.current().path).frame(cells)
    log = RowLog(deployment.path)
    given = {"version": deployment.current().number, "request": request, "source": "stream"}
    names = log.add(cells.to_dict("records"), answers, at=deployment.clock(), **given)
    log.close()
    return names


def label(deployment: Deployment, names: list[str], labels: list[str], source: str) -> None:
    """Labels of one source."""
    log = RowLog(deployment.path)
    for name, said in zip(names, labels, strict=True):
        log.label(name, "kind", said, source=source, at=deployment.clock())
    log.close()


def right(deployment: Deployment, frame: pd.DataFrame) -> float:
    """Share of rows that the current version answers right."""
    said = Predictor(deployment.current().path).frame(frame.drop(columns="kind"))["kind"]
    return float((said.to_numpy() == frame["kind"].to_numpy()).mean())


def killed(deployment: Deployment, most: int = 40) -> int:
    """Refresh in processes, each of which is killed (-9) one state further; how many."""
    for kill in range(most):
        given = [sys.executable, "-m", "bench.watch_loop", "--killed", str(deployment.path)]
        if subprocess.run(given, check=False).returncode != -signal.SIGKILL:
            return kill
        if deployment.history()[-1].state in ("swapped", "rejected", "waiting for labels"):
            return kill + 1
    raise AssertionError("the refresh has no end")


def refresh_and_die(path: Path) -> None:
    """Refresh, and be killed (-9) after the first record that this process writes."""
    told = iter(range(1000))

    def die(state: str) -> None:
        if next(told) == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    refresh(Deployment.open(path), "drift", told=die)


def measure(folder: Path) -> list[Line]:
    """The whole story, with a figure at each turn."""
    start = time.perf_counter()
    deployment = Deployment.of(train(folder))
    answer(deployment, stream(WINDOW, 1), "clean")
    clean = note_drift(deployment, drifted)
    frame = stream(WINDOW, 2, SHIFT)
    names = answer(deployment, frame, "drifted")
    alarm = note_drift(deployment, drifted)
    fresh = stream(1000, 3, SHIFT)
    before, probe = right(deployment, fresh), fresh.drop(columns="kind").head(200)
    kept = Predictor(deployment.current().path).frame(probe)
    labels = frame["kind"].tolist()
    for turn, source in enumerate(("ann", "bob")):
        label(deployment, names[turn::2], labels[turn::2], source)
    kills = killed(deployment)
    taken, after = deployment.current().number, right(deployment, fresh)
    bad = stream(400, 4, SHIFT)
    wrong = np.where(bad["kind"] == "hot", "cold", "hot").tolist()
    label(deployment, answer(deployment, bad, "bad"), wrong, "mallory")
    refused = refresh(deployment, "asked for")
    begun = time.perf_counter()
    ma.rollback(folder / "run")
    back = time.perf_counter() - begun
    same = kept.equals(Predictor(deployment.current().path).frame(probe))
    given = {"seconds": time.perf_counter() - start, "command": COMMAND}
    yes = {True: 1.0, False: 0.0}
    return [
        Line("loop", "alarm on a clean window", yes[clean is not None], goal="0",
             reached=clean is None, **given),
        Line("loop", "alarm on a drifted window", yes[alarm is not None], goal="1",
             reached=alarm is not None, **given),
        Line("loop", "right on drifted rows, before", before, **given),
        Line("loop", "right on drifted rows, after the swap", after, anchor=f"{before:.3f}",
             goal="above before", reached=taken == 2 and after > before, **given),
        Line("loop", "processes killed (-9) on the way", float(kills), **given),
        Line("loop", "bad refresh taken", yes[refused.state == "swapped"], goal="0",
             reached=refused.state != "swapped", **given),
        Line("loop", "seconds to roll back", back, goal="< 1", reached=back < 1.0, **given),
        Line("loop", "answers equal to the bit after it", yes[same], goal="1", reached=same,
             **given),
    ]  # fmt: skip


def main() -> None:
    """Measure in a folder that is gone afterwards, and write the table."""
    parser = argparse.ArgumentParser(prog=COMMAND)
    parser.add_argument("--killed", type=Path, help=argparse.SUPPRESS)
    if path := parser.parse_args().killed:
        return refresh_and_die(path)
    with tempfile.TemporaryDirectory() as folder:
        lines = publish("watch_loop", measure(Path(folder)), "operate.md")
    for line in lines:
        print(f"{line.metric}: {line.value:g}")


if __name__ == "__main__":
    main()
