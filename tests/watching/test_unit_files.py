"""Unit files that serve a model and refresh it where that is due."""

from pathlib import Path

import pytest

import modalloy as ma
from modalloy.watching.unit_files import write_units


def test_units_serve_and_ask_now_and_then(tmp_path: Path) -> None:
    run, live = tmp_path / "a b 100%" / "run", tmp_path / "live"
    serve, refresh, timer = write_units(
        run, live, tmp_path / "x", command="/m", serving=["--port", "81"], every="2h"
    )
    names = [path.name for path in (serve, refresh, timer)]
    assert names == [
        "modalloy-serve-run.service",
        "modalloy-refresh-run.service",
        "modalloy-refresh-run.timer",
    ]
    place = f"'{tmp_path}/a b 100%%/run' --live {live}"
    assert f"ExecStart=/m serve {place} --port 81\n" in serve.read_text()
    assert f"ExecStart=/m watch --refresh-if-due {place}\n" in refresh.read_text()
    assert "OnUnitActiveSec=7200s" in timer.read_text()


def test_what_cannot_be_written_or_named_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ma.RunError, match="cannot be made"):
        write_units(tmp_path / "run", tmp_path, tmp_path / "file" / "x", command="modalloy")
    with pytest.raises(ma.RunError, match="a unit is named after it"):
        write_units(tmp_path / "my run", tmp_path, tmp_path, command="modalloy")
