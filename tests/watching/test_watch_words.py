"""The words of `modalloy watch`: one thing at a time, and no option that nothing reads."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

import modalloy
from golden_rows import BUNDLE, golden_rows
from modalloy.answer.predictor import Predictor
from modalloy.cli import app
from modalloy.deployment.deployment import Deployment
from modalloy.deployment.row_log import RowLog


def watch(*words: str) -> Any:
    return CliRunner().invoke(app, ["watch", "run", *words])


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "give one of --table NEW"),
        (("--table", "t.csv", "--status"), "give one of --table NEW"),
        (("--table", "t.csv", "--live", "x"), "--live: is for a served model"),
        (("--table", "t.csv", "--source", "x"), "--source: is for --labels"),
        (("--logged", "--adapter", "x"), "--adapter: is for --table"),
        (("--status", "--strict"), "--strict: is for --table or --logged"),
        (("--status", "--time", "t"), "--time: is for --table or --logged"),
    ],
)
def test_options_that_nothing_reads_are_refused(words: tuple[str, ...], why: str) -> None:
    done = watch(*words)
    assert done.exit_code == 2
    assert why in done.stderr


def test_what_was_answered_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = Deployment.of(BUNDLE, tmp_path / "live")
    empty = watch("--logged", "--live", str(deployment.path))
    assert empty.exit_code == 2
    assert "no row was answered yet" in empty.stderr
    rows = golden_rows().to_dict("records")
    log = RowLog(deployment.path)
    given = {"version": 1, "request": "1", "source": "http", "at": time.time()}
    log.add(rows, Predictor(BUNDLE).frame(rows), **given)
    log.close()
    asked: list[tuple[Any, ...]] = []

    def noted(*args: Any, **options: Any) -> Any:
        asked.append((*args, options))
        page = options["out"]
        return SimpleNamespace(text=lambda: "nothing", caveats=[], page=page, drifted=True)

    monkeypatch.setattr(modalloy, "watch", noted)
    done = watch("--logged", "--live", str(deployment.path), "--strict")
    assert done.exit_code == 3
    ((version, table, options),) = asked
    assert version == BUNDLE
    assert table.rows == len(rows)
    assert options["time"] == "at"
    assert options["out"] == deployment.path / "watched.html"
