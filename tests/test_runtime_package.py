"""The package `modalloy-runtime` in a fresh environment: it answers, and nothing in it trains."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from golden_rows import BUNDLE, FOLDER, golden_answers

REPO = Path(__file__).resolve().parent.parent
OFFLINE = ("No matching distribution", "Failed to establish", "Temporary failure", "timed out")
NEVER = ("torch", "transformers", "sklearn", "scipy", "onnx", "matplotlib", "openvino")
LOOK = """
import importlib.util, json, sys
import modalloy.runtime
found = [name for name in sys.argv[1:] if importlib.util.find_spec(name)]
print(json.dumps({"found": found, "version": modalloy.__version__, "from": modalloy.__file__}))
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment into which the package alone was installed."""
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = ["install", "-q", "--no-compile", "--disable-pip-version-check"]
    done = run(folder / "bin" / "python", "-m", "pip", *install, str(REPO / "packages/runtime"))
    if done.returncode and any(words in done.stderr for words in OFFLINE):
        pytest.skip("pip reaches no index here")
    assert done.returncode == 0, done.stderr
    return folder / "bin"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program that sees nothing of this environment."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, text=True, env=kept, check=False)


@pytest.mark.timeout(900)
def test_it_answers_and_holds_nothing_that_trains(fresh: Path, tmp_path: Path) -> None:
    looked = run(fresh / "python", "-c", LOOK, *NEVER)
    assert looked.returncode == 0, looked.stderr
    told = json.loads(looked.stdout)
    assert told["found"] == []
    assert str(REPO) not in told["from"]
    out = tmp_path / "answers.csv"
    done = run(fresh / "modalloy", "predict", BUNDLE, FOLDER / "parts.csv", "-o", out)
    assert done.returncode == 0, done.stderr
    got, expected = pd.read_csv(out), golden_answers()
    assert got["fault"].tolist() == expected["fault"]
    for name in ("life", "fault.p[crack]", "unlike.score"):
        assert np.allclose(got[name], expected[name], rtol=1e-4, atol=1e-5), name


@pytest.mark.timeout(900)
def test_verbs_that_train_say_what_they_need(fresh: Path, tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("table: parts.csv\n")
    for verb, more in (("train", ["-o", tmp_path / "run"]), ("check", []), ("doctor", [])):
        words = [] if verb == "doctor" else [tmp_path / "job.yaml", *more]
        done = run(fresh / "modalloy", verb, *words)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert "pip install modalloy" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
