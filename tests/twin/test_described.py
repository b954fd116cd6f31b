"""A twin's options reach its runs: simulator, outputs, limits."""

import sys
from pathlib import Path

import pytest

import modalloy as ma
from modalloy.twin.described import expected_of, limits_of, simulator_of
from modalloy.twin.runs import Expected, RunLimits
from modalloy.twin.simulators.command import Command
from modalloy.twin.simulators.fmu import Fmu
from modalloy.twin.simulators.python_function import PythonFunction
from modalloy.twin.twin_file import load_twin
from toy_twins import write_twin

PYTHON = '{type: python, use: "plate.py:simulate"}'
COMMAND = """\
import json, sys

asked = json.load(sys.stdin)
values = asked["values"]
open(asked["folder"] + "/trace.csv", "w").write("1\\n2\\n")
sag = values["load"] / values["width"]
told = {"mass": 1.0, "sag": sag, "grade": "good", "note": str(asked["seed"]), "trace": "trace.csv"}
print(json.dumps(told))
"""


def test_each_kind_of_simulator_is_described(tmp_path: Path) -> None:
    twin = load_twin(write_twin(tmp_path))
    assert simulator_of(twin) == PythonFunction(f"{tmp_path}/plate.py:simulate", "")
    run = "{type: command, run: [python, plate.py, fast], exchange: files}"
    command = simulator_of(load_twin(write_twin(tmp_path, **{PYTHON: run})))
    assert command == Command((sys.executable, "plate.py", "fast"), "files", str(tmp_path))
    (tmp_path / "plant.fmu").touch()
    fmu = "{type: fmu, file: plant.fmu, stop_time_s: 3, step_s: 0.5, at: max}"
    unit = simulator_of(load_twin(write_twin(tmp_path, **{PYTHON: fmu})))
    units = {"width": "mm", "load": "N", "area": "mm2", "wear": "mm", "mass": "g", "sag": "mm"}
    assert unit == Fmu(str(tmp_path / "plant.fmu"), 3.0, 0.5, "max", units)


def test_outputs_and_limits_are_described(tmp_path: Path) -> None:
    limits = "limits: {seconds: 2, memory_mb: 300, runs_per_process: 7, retries: 3}"
    twin = load_twin(write_twin(tmp_path, **{"limits: {seconds: 20}": limits}))
    assert limits_of(twin) == RunLimits(2.0, 300.0, 7, 3)
    assert expected_of(twin)["grade"] == Expected("category", ("good", "bad"))
    assert expected_of(twin)["trace"] == Expected("series")
    assert expected_of(twin)["trace"].is_media


def test_a_program_is_run_from_its_twin(tmp_path: Path) -> None:
    run = "{type: command, run: [python, told.py]}"
    twin = write_twin(tmp_path / "plate", **{PYTHON: run.replace("told", "plate")})
    (tmp_path / "plate" / "plate.py").write_text(COMMAND)
    found = ma.simulate(twin, out=tmp_path / "rows.parquet", runs=2, workers=1, quiet=True)
    assert found.counts["ok"] == 2, found.reasons
    for row in found.rows:
        assert row["sag"] == row["load"] / row["width"]
        assert row["note"] == str(row["seed"])
        assert (tmp_path / row["trace"]).read_text() == "1\n2\n"


def test_a_run_beyond_its_seconds_is_a_row(tmp_path: Path) -> None:
    changes = {"limits: {seconds: 20}": "limits: {seconds: 0.3, retries: 0}"}
    twin = write_twin(tmp_path, pause_s=30.0, **changes)
    found = ma.simulate(twin, out=tmp_path / "rows.parquet", runs=2, workers=1, quiet=True)
    assert found.counts["timed out"] == 2
    assert [row["status"] for row in found.rows] == ["timed out", "timed out"]
    assert "0.3 s" in found.rows[0]["reason"]
    assert found.rows[0]["mass"] is None


def test_a_simulator_that_cannot_be_opened_runs_nothing(tmp_path: Path) -> None:
    twin = write_twin(tmp_path)
    (tmp_path / "plate.py").write_text("def other(values, *, seed, folder): ...\n")
    with pytest.raises(ma.TwinError, match=r"plate\.py has no function 'simulate'"):
        ma.simulate(twin, out=tmp_path / "rows.parquet", runs=2, workers=1, quiet=True)
    assert not (tmp_path / "rows.parquet").exists()
    assert not (tmp_path / "rows.runs.jsonl").exists()  # so that it can be mended and run
