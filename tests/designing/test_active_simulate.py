"""`simulate --plan active`: the same rows whatever workers and stops there are, and refusals."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import modalloy as ma
from modalloy.errors import TwinError
from modalloy.twin.simulated import Simulated
from toy_twins import timeless, write_twin

RUNS = 16
ACTIVE: dict[str, Any] = {"plan": "active", "runs": RUNS, "about": "sag", "quiet": True}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """Sixteen runs of the plate, eight by Sobol and eight chosen one by one."""
    folder = tmp_path_factory.mktemp("whole")
    return ma.simulate(write_twin(folder), out=folder / "rows.parquet", workers=1, **ACTIVE)


def test_the_first_runs_are_spread_and_the_others_chosen(whole: Simulated, tmp_path: Path) -> None:
    twin = whole.path.parent / "plate.yaml"
    sobol = ma.simulate(twin, out=tmp_path / "sobol.parquet", runs=9, workers=1, quiet=True)
    one, other = timeless(whole.rows)[:9], timeless(sobol.rows)
    of = [{k: v for k, v in row.items() if k != "trace"} for rows in (one, other) for row in rows]
    assert of[:8] == of[9:17]
    assert of[8]["width"] != of[17]["width"]
    assert of[8]["seed"] == of[17]["seed"]
    assert [row["run"] for row in whole.rows] == list(range(RUNS))


def test_what_the_runs_teach_is_told_beside_the_rows(whole: Simulated) -> None:
    said = json.loads(whole.path.with_suffix(".json").read_text())
    assert said["plan"] == {
        "kind": "active", "runs": RUNS, "first": 8, "batch": 1, "about": ["sag"], "minimise": [],
        "maximise": [], "hidden": "drawn", "set": {},
    }  # fmt: skip
    assert "torch" in said["versions"][0]
    known = said["known"]
    assert known == whole.known
    assert known["surrogate"] == "gaussian process"
    assert known["rows"] == whole.counts["ok"]
    assert list(known["scores"]) == ["sag"]
    assert known["scores"]["sag"]["r2"] > 0.5
    assert known["scores"]["sag"]["rmse"] > 0
    assert "Each run foretold from all others by a Gaussian process, R2: sag" in whole.in_words()


def test_stopped_anywhere_it_goes_on_to_the_same_rows(whole: Simulated, tmp_path: Path) -> None:
    """In the first runs, between batches and at the end; with other workers too."""
    lines = whole.path.with_suffix(".runs.jsonl").read_bytes().splitlines(keepends=True)
    assert len(lines) == RUNS + 1
    for kept in (4, 13, RUNS + 1):
        folder = tmp_path / str(kept)
        twin, out = write_twin(folder), folder / "rows.parquet"
        (folder / "rows.runs.jsonl").write_bytes(b"".join(lines[:kept]))
        found = ma.simulate(twin, out=out, workers=3, resume=True, **ACTIVE)
        assert timeless(found.rows) == timeless(whole.rows)
        assert found.known == whole.known


def test_batches_of_several_runs_do_not_depend_on_workers(tmp_path: Path) -> None:
    made = [
        ma.simulate(
            write_twin(tmp_path / str(workers)), out=tmp_path / str(workers) / "rows.parquet",
            workers=workers, **{**ACTIVE, "runs": 22, "about": (), "minimise": "mass"},
        )
        for workers in (1, 3)
    ]  # fmt: skip
    assert timeless(made[0].rows) == timeless(made[1].rows)
    assert made[0].known is not None
    assert list(made[0].known["scores"]) == ["mass"]


def test_a_killed_plan_goes_on_to_the_very_same_rows(whole: Simulated, tmp_path: Path) -> None:
    out, record = tmp_path / "rows.parquet", tmp_path / "rows.runs.jsonl"
    write_twin(tmp_path, pause_s=0.05)
    words = f"simulate plate.yaml -o rows.parquet --runs {RUNS} --plan active --about sag"
    process = subprocess.Popen(
        [sys.executable, "-m", "modalloy", *words.split(), "--workers", "2"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    last = time.monotonic() + 120
    while not record.exists() or record.read_bytes().count(b"\n") < 12:
        assert process.poll() is None
        assert time.monotonic() < last
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    found = ma.simulate(tmp_path / "plate.yaml", out=out, workers=1, resume=True, **ACTIVE)
    assert timeless(found.rows) == timeless(whole.rows)


def test_a_record_of_another_choice_does_not_go_on(whole: Simulated) -> None:
    again = {**ACTIVE, "out": whole.path, "resume": True}
    twin = whole.path.parent / "plate.yaml"
    with pytest.raises(TwinError, match=r"another plan: plan.about was \[\"sag\"\] and is"):
        ma.simulate(twin, **{**again, "about": "mass"})
    with pytest.raises(TwinError, match=r"another plan: plan.kind was \"active\" and is \"sobol\""):
        ma.simulate(twin, **{**again, "plan": "sobol", "about": ()})
    with pytest.raises(TwinError, match=r"another seed: seed was 3 and is 4"):
        ma.simulate(twin, **{**again, "seed": 4})


WHOLE = {"width": 20.0, "load": 10.0, "teeth": 4, "material": "steel"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"plan": "sobol", "about": "sag"}, "about: says what an active plan chooses its runs for"),
        ({"plan": "latin", "minimise": ["sag"]}, "minimise: says what an active plan"),
        ({"plan": "factorial", "maximise": ["sag"]}, "maximise: says what an active plan"),
        ({"designs": [WHOLE]}, "designs: are given, so that an active plan has nothing to choose"),
        ({"about": "sagg"}, "about: sagg is no output of this twin. Did you mean 'sag'?"),
        (
            {"about": "grade"},
            "about: grade is category; active plans learn from number",
        ),
        (
            {"minimise": "trace"},
            "minimise: trace is series; active plans learn from number",
        ),
        ({"about": "width"}, "about: width is set, not told by a run; name one of mass, sag"),
        ({"about": ["sag", "sag"]}, "about: sag is under about already; name it once"),
        ({"minimise": "sag", "maximise": "sag"}, "maximise: sag is under minimise already"),
        ({"about": "sag", "minimise": "mass"}, "leave out about, or minimise and maximise"),
        ({"runs": 15}, "runs: 15 is no active plan, which first spreads 8 runs at least; give 16"),
        ({"fixed": WHOLE}, "set: fixes every variable, so that an active plan has nothing to"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    given = {"plan": "active", "runs": RUNS, "quiet": True, **options}
    with pytest.raises(TwinError, match=said.replace("?", r"\?")) as refused:
        ma.simulate(write_twin(tmp_path), out=tmp_path / "rows.parquet", **given)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "rows.runs.jsonl").exists()


def test_a_twin_without_numbers_has_no_active_plan(tmp_path: Path) -> None:
    """Its category and files teach nothing here."""
    changes = {
        "  mass:  {type: number, unit: g}\n": "",
        "  sag:   {type: number, unit: mm}\n": "",
    }
    with pytest.raises(TwinError, match="active plans learn from number outputs, and plate has"):
        ma.simulate(write_twin(tmp_path, **changes), out=tmp_path / "rows.parquet", plan="active")


def test_all_numbers_are_learned_where_nothing_is_said(tmp_path: Path) -> None:
    found = ma.simulate(
        write_twin(tmp_path), out=tmp_path / "rows.parquet", plan="active", runs=16, quiet=True,
        workers=1, fixed={"material": "brass", "wear": 0.5}, hidden="default",
    )  # fmt: skip
    assert found.known is not None
    assert list(found.known["scores"]) == ["mass", "sag"]
    assert {row["material"] for row in found.rows} == {"brass"}
    assert all(row["area"] == row["width"] ** 2 for row in found.rows)
