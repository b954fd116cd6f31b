"""`simulate`: a row a run whatever comes of it, the same rows again, also after a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import modalloy as ma
from modalloy.errors import TwinError
from modalloy.twin.simulated import Simulated
from modalloy.twin.twin_file import load_twin
from toy_twins import timeless, write_twin

BATCHED: dict[str, Any] = {"workers": 1, "quiet": True}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """Sixty runs of the plate, hidden parameters shown."""
    folder = tmp_path_factory.mktemp("plate")
    out = folder / "out" / "rows.parquet"
    return ma.simulate(write_twin(folder), out=out, runs=60, show_hidden=True, **BATCHED)


def test_every_run_is_a_row_with_its_columns_in_order(ran: Simulated) -> None:
    table = pq.read_table(ran.path)
    assert table.column_names == [
        "run", "width", "load", "teeth", "material", "area", "hidden_wear", "mass", "sag", "grade",
        "note", "trace", "status", "reason", "seed", "seconds",
    ]  # fmt: skip
    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds["width"] == kinds["area"] == kinds["mass"] == kinds["seconds"] == "double"
    assert kinds["run"] == kinds["teeth"] == kinds["seed"] == "int64"
    assert kinds["material"] == kinds["note"] == kinds["trace"] == kinds["reason"] == "string"
    assert table.to_pylist() == ran.rows
    assert [row["run"] for row in ran.rows] == list(range(60))


def test_a_run_that_fails_is_a_row_with_the_reason(ran: Simulated) -> None:
    sevens = [row for row in ran.rows if row["teeth"] == 7]
    assert len(sevens) == ran.counts["failed"] > 4
    for row in ran.rows:
        failed = row["teeth"] == 7
        assert row["status"] == ("failed" if failed else "ok")
        assert (row["mass"] is None) == (row["trace"] is None) == failed
        assert ("seven teeth do not mesh" in (row["reason"] or "")) == failed
    assert ran.counts["ok"] == 60 - len(sevens)
    assert ran.reasons[0][1] == len(sevens)


def test_outputs_are_those_of_the_simulator(ran: Simulated) -> None:
    row = next(row for row in ran.rows if row["status"] == "ok")
    density = {"steel": 7.8e-3, "brass": 8.5e-3}[row["material"]]
    assert row["area"] == row["width"] ** 2
    assert row["mass"] == row["area"] * density
    assert row["note"] == f"{row['teeth']} teeth of {row['material']}"
    middle = row["load"] * (1 + row["hidden_wear"]) / row["width"]
    assert row["sag"] == pytest.approx(middle, abs=0.06)


def test_media_lie_beside_the_rows(ran: Simulated) -> None:
    folder = ran.path.parent
    named = {row["trace"] for row in ran.rows if row["status"] == "ok"}
    assert named == {
        f"media/rows/{row['run']}-trace.csv" for row in ran.rows if row["status"] == "ok"
    }
    assert all((folder / name).is_file() for name in named)
    assert {f"media/rows/{path.name}" for path in (folder / "media/rows").iterdir()} == named


def test_what_made_the_rows_is_told_beside_them(ran: Simulated) -> None:
    said = json.loads(ran.path.with_suffix(".json").read_text())
    assert said["twin"] == "plate"
    assert said["fingerprint"] == ran.fingerprint
    assert said["plan"] == {"kind": "sobol", "runs": 60, "hidden": "drawn", "set": {}}
    assert said["seed"] == 3
    assert {"python", "modalloy", "numpy"} <= set(said["versions"][0])
    columns = said["columns"]
    assert list(columns) == list(ran.rows[0])
    assert columns["width"] == {"is": "variable", "type": "continuous", "unit": "mm"}
    assert columns["mass"] == {"is": "output", "type": "number", "unit": "g"}
    assert columns["trace"] == {"is": "output", "type": "series", "unit": None}
    assert columns["hidden_wear"] == {"is": "hidden", "unit": "mm"}
    assert {n for n, c in columns.items() if c["is"] == "record"} == {
        "run", "status", "reason", "seed", "seconds",
    }  # fmt: skip


def test_the_same_twin_plan_and_seed_give_the_same_rows(ran: Simulated, tmp_path: Path) -> None:
    twin = write_twin(tmp_path)
    again = ma.simulate(
        twin, out=tmp_path / "again.parquet", runs=60, show_hidden=True, workers=2, quiet=True
    )
    assert again.fingerprint == ran.fingerprint
    for one, other in zip(ran.rows, again.rows, strict=True):
        named = one["trace"] and one["trace"].replace("rows", "again")
        assert {**one, "trace": named, "seconds": 0} == {**other, "seconds": 0}
        if named:
            own = ran.path.parent / one["trace"]
            assert own.read_bytes() == (tmp_path / other["trace"]).read_bytes()
    changed = ma.simulate(twin, out=tmp_path / "other.parquet", runs=4, seed=4, **BATCHED)
    assert all(
        a["sag"] != b["sag"] for a, b in zip(ran.rows, changed.rows, strict=False) if a["sag"]
    )


def test_hidden_parameters_are_shown_only_where_asked(tmp_path: Path) -> None:
    twin = load_twin(write_twin(tmp_path))
    plain = ma.simulate(twin, out=tmp_path / "a.parquet", runs=6, plan="latin", **BATCHED)
    assert "hidden_wear" not in plain.rows[0]
    usual = ma.simulate(
        twin, out=tmp_path / "b.parquet", runs=6, plan="latin", hidden="default",
        show_hidden=True, **BATCHED,
    )  # fmt: skip
    assert {row["hidden_wear"] for row in usual.rows} == {0.25}
    assert [r["width"] for r in usual.rows] == [r["width"] for r in plain.rows]
    good = [i for i in range(6) if plain.rows[i]["status"] == "ok"]
    assert all(usual.rows[i]["sag"] != plain.rows[i]["sag"] for i in good)


def test_given_designs_and_fixed_values_are_run(tmp_path: Path) -> None:
    twin = load_twin(write_twin(tmp_path))
    design = {"width": 20.0, "load": 10.0, "teeth": 4, "material": "steel"}
    found = ma.simulate(
        twin, out=tmp_path / "a.parquet", designs=[design, design | {"wear": 1.0}],
        fixed={"load": 20}, hidden="default", **BATCHED,
    )  # fmt: skip
    assert [row["load"] for row in found.rows] == [20.0, 20.0]
    assert found.rows[0]["sag"] == pytest.approx(1.25, abs=0.06)
    assert found.rows[1]["sag"] == pytest.approx(2.0, abs=0.06)


def test_rows_that_are_there_are_not_written_over(ran: Simulated) -> None:
    twin = ran.path.parent.parent / "plate.yaml"
    before = ran.path.read_bytes()
    with pytest.raises(TwinError, match="is there already; go on with --resume"):
        ma.simulate(twin, out=ran.path, runs=60, **BATCHED)
    with pytest.raises(TwinError, match=r"another plan: plan.runs was 60 and is 61"):
        ma.simulate(twin, out=ran.path, runs=61, resume=True, **BATCHED)
    with pytest.raises(TwinError, match=r"another seed: seed was 3 and is 9"):
        ma.simulate(twin, out=ran.path, runs=60, seed=9, resume=True, **BATCHED)
    assert ran.path.read_bytes() == before
    again = ma.simulate(twin, out=ran.path, runs=60, resume=True, show_hidden=True, **BATCHED)
    assert again.rows == ran.rows
    assert ran.path.read_bytes() == before


def test_a_twin_that_has_changed_does_not_go_on(tmp_path: Path) -> None:
    out = tmp_path / "rows.parquet"
    ma.simulate(write_twin(tmp_path), out=out, runs=3, **BATCHED)
    twin = write_twin(tmp_path, **{"high: 40": "high: 50"})
    with pytest.raises(TwinError, match=r"variables.width.high was 40.0 and is 50.0"):
        ma.simulate(twin, out=out, runs=3, resume=True, **BATCHED)
    out.with_suffix(".runs.jsonl").unlink()
    with pytest.raises(TwinError, match=r"its record rows.runs.jsonl is gone"):
        ma.simulate(twin, out=out, runs=3, resume=True, **BATCHED)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"out": "rows.csv"}, "rows are written as Parquet; name a file such as rows.parquet"),
        ({"workers": 0}, "workers: 0 run nothing"),
        ({"seed": -1}, "seed: must be 0 or more"),
        ({"runs": 0}, "runs: 0 is no plan"),
        ({"plan": "factorial", "runs": 20}, "the smallest factorial of these variables has 56"),
    ],
)
def test_what_cannot_be_run_is_told(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    twin = write_twin(tmp_path)
    given = {"out": "rows.parquet", "quiet": True, **options}
    with pytest.raises(TwinError, match=said):
        ma.simulate(twin, **{**given, "out": tmp_path / given["out"]})
    assert not (tmp_path / "rows.parquet").exists()
    assert not (tmp_path / "rows.runs.jsonl").exists()


def started(folder: Path) -> "subprocess.Popen[bytes]":
    """The command, in a process of its own."""
    words = ["simulate", "plate.yaml", "-o", "rows.parquet", "--runs", "60", "--workers", "2"]
    return subprocess.Popen(
        [sys.executable, "-m", "modalloy", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_killed_plan_goes_on_to_the_very_same_rows(tmp_path: Path) -> None:
    whole = ma.simulate(
        write_twin(tmp_path / "whole"), out=tmp_path / "whole/rows.parquet", runs=60, **BATCHED
    )
    twin = write_twin(tmp_path / "killed", pause_s=0.1)
    out, record = tmp_path / "killed/rows.parquet", tmp_path / "killed/rows.runs.jsonl"
    process = started(tmp_path / "killed")
    last = time.monotonic() + 120
    while not record.exists() or record.read_bytes().count(b"\n") < 12:
        assert process.poll() is None
        assert time.monotonic() < last
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    lines = record.read_bytes().splitlines(keepends=True)
    assert 12 <= len(lines) < 60
    record.write_bytes(b"".join(lines)[:-20])  # the last line torn, as by a power cut
    found = ma.simulate(twin, out=out, runs=60, resume=True, **BATCHED)
    kept = record.read_bytes().splitlines(keepends=True)
    assert kept[: len(lines) - 1] == lines[:-1]
    assert timeless(found.rows) == timeless(whole.rows)
    media = {path.name: path.read_bytes() for path in (tmp_path / "killed/media/rows").iterdir()}
    assert media == {
        path.name: path.read_bytes() for path in (tmp_path / "whole/media/rows").iterdir()
    }
