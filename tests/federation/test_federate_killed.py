"""A simulated federation that is killed in the midst of its rounds goes on to the same weights."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modalloy.federation.federate_run import ROUNDS
from modalloy.federation.rounds_folder import HISTORY
from modalloy.job.job_file import save_job
from plants import job_of, rows_of


def command(folder: Path, out: str, *words: str) -> list[str]:
    sites = ["--site", f"A={folder / 'A.csv'}", "--site", f"B={folder / 'B.csv'}"]
    job = str(folder / "job.yaml")
    return [sys.executable, "-m", "modalloy", "federate", job, *sites, "-o", out, *words]


@pytest.mark.timeout(300)
def test_a_killed_federation_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    save_job(job_of(rounds=6, epochs=2.0), tmp_path / "job.yaml")
    for site, seed in (("A", 1), ("B", 2)):
        rows_of(300, seed).to_csv(tmp_path / f"{site}.csv", index=False)
    given = {"cwd": tmp_path, "env": {**os.environ, "OMP_NUM_THREADS": "1"}, "check": True}
    subprocess.run(command(tmp_path, "whole"), capture_output=True, **given)

    words = command(tmp_path, "killed")
    history = tmp_path / "killed" / ROUNDS / HISTORY
    with subprocess.Popen(words, cwd=tmp_path, start_new_session=True) as process:
        while not (history.is_file() and len(history.read_text().splitlines()) >= 2):
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    done = len(history.read_text().splitlines())
    subprocess.run([*words, "--resume"], capture_output=True, **given)

    assert len(history.read_text().splitlines()) == 6 > done
    one, other = (tmp_path / name / "model.safetensors" for name in ("whole", "killed"))
    assert one.read_bytes() == other.read_bytes()
