"""`modalloy serve` as a process: it tells where it answers, answers, and ends when told to."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import modalloy
from modalloy.cli import app
from modalloy.errors import JobError, RunError
from modalloy.serving.limits import Limits, limits_of
from modalloy.serving.serve_run import listening
from served import JSON, rows_of, small_run

COMMAND = [sys.executable, "-m", "modalloy", "serve"]


def post(address: str, body: Any) -> dict[str, Any]:
    request = urllib.request.Request(address, json.dumps(body).encode(), JSON)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_it_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    command = [*COMMAND, str(run), "--port", "0", "--rows", "2"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            said = process.stdout.readline()
            assert said.startswith("press, version 1, answers at http://127.0.0.1:"), said
            address = said.split()[-1]
            found = post(f"{address}/predict", {"rows": rows_of(run, 2)})
            assert [set(row["answer"]) >= {"fault", "life"} for row in found["rows"]] == [True] * 2
            second = subprocess.run(
                [*COMMAND, str(run), "--port", "0"], capture_output=True, text=True, check=False
            )
            assert second.returncode == 2
            assert "is served by another process already" in second.stderr
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        assert "Traceback" not in process.stderr.read()
    assert (tmp_path / "press.live" / "current.json").is_file()


def test_a_token_is_shown_once_and_can_be_taken_back(tmp_path: Path) -> None:
    run = str(small_run(tmp_path))
    made = CliRunner().invoke(app, ["serve", run, "--token", "predict"])
    assert made.exit_code == 0
    token, *said = made.output.splitlines()
    assert token.startswith("ma_")
    name = said[0].split()[3].rstrip(",")
    kept = (tmp_path / "press.live" / "tokens.json").read_text()
    assert name in kept
    assert token not in kept
    gone = CliRunner().invoke(app, ["serve", run, "--revoke", name])
    assert gone.output == f"The token {name} is of no use any more.\n"
    assert CliRunner().invoke(app, ["serve", run, "--token", "boss"]).exit_code == 2
    refused = CliRunner().invoke(app, ["serve", run, "--host", "0.0.0.0", "--port", "0"])
    assert refused.exit_code == 2
    assert "there is no token yet" in refused.output


def test_words_of_the_command_reach_the_verb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(modalloy, "serve", lambda *a, **k: asked.append((a, k)), raising=False)
    words = ["serve", str(tmp_path), "--live", "x", "--keep-nothing", "--audit-cells", "--rate"]
    done = CliRunner().invoke(app, [*words, "5", "--deadline", "2", "--batch", "1"])
    assert done.exit_code == 0, done.output
    ((given, options),) = asked
    assert given == (tmp_path,)
    assert (options["live"], options["keep_rows"], options["audit_cells"]) == (
        Path("x"),
        False,
        True,
    )
    assert options["limits"] == {
        "batch": 1, "deadline_s": 2.0, "rows": 1000, "body_mb": 32.0, "rate": 5.0,
    }  # fmt: skip


def test_limits_that_make_no_sense_and_taken_addresses_are_refused() -> None:
    assert limits_of({"rows": 5.0}) == Limits(rows=5)
    with pytest.raises(JobError, match=r"there is no limit 'row'\. Did you mean 'rows'"):
        limits_of({"row": 5})
    with pytest.raises(JobError, match="rows is 0; give more than 0"):
        limits_of({"rows": 0})
    with listening("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RunError, match=f"127.0.0.1 port {port} cannot be had"):
            listening("127.0.0.1", port)
    with pytest.raises(RunError, match=r"port 99999 cannot be had .*0-65535"):
        listening("127.0.0.1", 99999)
