"""`design` from a twin to verified designs: on a bar whose best design is known."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from beam_twin import simulate
from beams import BEAM
from typer.testing import CliRunner

import modalloy as ma
from modalloy.cli import app
from modalloy.designing.verb import Designed
from modalloy.errors import DesignError, JobError, TwinError
from modalloy.twin.journal import read_journal

ASKED: dict[str, Any] = {
    "minimise": ["mass"],
    "such_that": ["deflection <= 2 mm"],
    "budget": 90,
    "batch": 12,
    "proposals": 12,
    "surrogate": "gaussian process",
}
LIGHTEST_KG = 7.714  # height 100 mm, aluminium, as wide as 2 mm of deflection need


def searched(out: Path, *, resume: bool = False, **changes: Any) -> Designed:
    twin = out.parent / "beam.yaml"
    twin.write_text(json.dumps(BEAM))
    asked = {"twin": str(twin), **ASKED, **changes}
    return ma.design(asked, out=out, resume=resume, workers=1, quiet=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Designed:
    return searched(tmp_path_factory.mktemp("design") / "study")


def test_the_best_design_is_found_and_verified(made: Designed) -> None:
    best = made.facts["accepted"][0]
    assert best["values"]["metal"] == "aluminium"
    assert LIGHTEST_KG - 1e-3 <= best["outputs"]["mass"] <= 1.01 * LIGHTEST_KG
    assert best["outputs"]["deflection"] <= 2.0
    assert made.facts["verified"] >= 0.95
    assert made.facts["runs"] <= 90
    margin = made.facts["margin"]
    assert margin["needed"] == 19
    assert margin["unproven"] == (margin["certified"] < 19)
    assert 0 < margin["certified"] <= margin["verified"] <= 40
    assert ("such. The margin comes from others" in made.text()) == margin["unproven"]
    assert {r.facts["shown"] for r in made.records.of("train")} == {0.9}
    planned = made.facts["best_of_plan"]["outputs"]["mass"]
    assert best["outputs"]["mass"] < planned


def test_states_come_in_their_order_and_are_chained(made: Designed) -> None:
    states = [r.state for r in made.records.all]
    assert states[:6] == ["plan", "simulate", "ingest", "train", "calibrate", "propose"]
    assert states[-3:] == ["propose", "verify", "accept"]
    assert states.count("verify") == states.count("propose") == states.count("infill") + 1
    page = made.page.read_text()
    assert "12" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert made.text().startswith("Asked of beam: minimise mass such that deflection <= 2 mm")


def test_runs_that_fail_are_learned_from(made: Designed) -> None:
    """Slim bars tip over: they are rows with a reason, and proposals stay away from them."""
    ingest, last = made.records.of("ingest")[0].facts, made.records.of("verify")[-1].facts
    assert ingest["failed"] > 0
    assert set(last["status"]) == {"ok"}


def test_the_same_seed_gives_the_same_designs(made: Designed, tmp_path: Path) -> None:
    again = searched(tmp_path / "study")
    assert again.facts["accepted"] == made.facts["accepted"]
    other = searched(tmp_path / "other", seed=1, budget=60)
    assert other.facts["accepted"][0] != made.facts["accepted"][0]


def test_a_killed_search_goes_on_to_the_same_designs(made: Designed, tmp_path: Path) -> None:
    out = tmp_path / "study"
    (tmp_path / "beam.yaml").write_text(json.dumps(BEAM))
    (tmp_path / "asked.yaml").write_text(json.dumps({"twin": "beam.yaml", **ASKED}))
    words = ["design", str(tmp_path / "asked.yaml"), "-o", str(out), "--workers", "1"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "modalloy", *words]
    with subprocess.Popen(command, env=env, start_new_session=True) as process:
        while not list((out / "records").glob("*-infill.json")):
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    with pytest.raises(DesignError, match="go on with --resume"):
        searched(out)
    again = searched(out, resume=True)
    assert again.facts["accepted"] == made.facts["accepted"]


def test_a_search_of_something_else_is_not_gone_on_with(made: Designed, tmp_path: Path) -> None:
    out = tmp_path / "study"
    searched(out, budget=40, batch=5, proposals=5)
    with pytest.raises(DesignError, match="asks for budget 40, not 50"):
        searched(out, budget=50, batch=5, proposals=5, resume=True)
    changed = json.loads(json.dumps(BEAM))
    changed["variables"]["height"]["high"] = 90.0
    (tmp_path / "beam.yaml").write_text(json.dumps(changed))
    asked = {"twin": str(tmp_path / "beam.yaml"), **ASKED, "budget": 40, "batch": 5}
    with pytest.raises(DesignError, match="the twin or its simulator has changed"):
        ma.design({**asked, "proposals": 5}, out=out, resume=True, quiet=True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"such_that": ["deflexion <= 2 mm"]}, "Did you mean 'deflection'"),
        ({"such_that": ["deflection <= 2 kg"]}, "cannot be converted"),
        ({"such_that": ["mass <= 1 kg", "mass >= 2 kg"]}, "contradict each other"),
        ({"minimise": ["cost"]}, "no output or variable 'cost'"),
        ({"set": {"metal": "wood"}}, "metal"),
        ({"set": {"depth": 3}}, "depth is no variable"),
        ({"budget": 20, "planned": 15, "proposals": 10}, "20 runs cannot hold"),
        ({"minimise": [], "such_that": []}, "says nothing to seek"),
        ({"maximise": ["mass"]}, "to minimise and to maximise mass"),
        ({"batches": 3}, "batches"),
        ({"such_that": ["metal <= 3"]}, "no output or variable 'metal' that is a number"),
        ({"planned": 8, "budget": 60}, "a margin for 95.0% needs 19 runs before the first"),
        ({"confidence": 0.999}, "a margin for 99.9% needs 999 runs before the first proposal"),
        ({"minimise": ["mass", "mass"]}, "asks for the same twice: mass, mass"),
        ({"set": {"width": 9, "height": 50, "metal": "steel"}}, "fixes every variable"),
        ({"such_that": ["width >= 6 cm"]}, "width goes from 5 to 50 mm; widen its bounds"),
        ({"such_that": ["width >= 9 mm"], "set": {"width": 8}}, "width is 8 mm in every design"),
        ({"such_that": ["mass <= 1e999 kg"]}, "larger than any number"),
    ],
)
def test_what_is_asked_wrongly_gets_a_sentence(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises((JobError, DesignError, TwinError), match=said):
        searched(tmp_path / "study", **changes)


def test_a_simulator_that_tells_nothing_is_told_with_its_reason(tmp_path: Path) -> None:
    told = "{'mass': float('nan'), 'deflection': 1.0}"
    (tmp_path / "sim.py").write_text(f"def nan(values, *, seed, folder):\n    return {told}\n")
    twin = {**BEAM, "simulator": {"type": "python", "use": f"{tmp_path / 'sim.py'}:nan"}}
    (tmp_path / "beam.yaml").write_text(json.dumps(twin))
    asked = {"twin": str(tmp_path / "beam.yaml"), **ASKED, "budget": 40}
    with pytest.raises(DesignError, match=r"0 of 28 runs .* 28 say: 'mass' is nan, not a finite"):
        ma.design(asked, out=tmp_path / "study", workers=1, quiet=True)


def test_no_worker_runs_nothing(tmp_path: Path) -> None:
    (tmp_path / "beam.yaml").write_text(json.dumps(BEAM))
    with pytest.raises(DesignError, match="workers: 0 run nothing"):
        ma.design({"twin": str(tmp_path / "beam.yaml"), **ASKED}, out=tmp_path / "s", workers=0)


def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    found = searched(tmp_path / "study", such_that=["deflection <= 0.01 mm"], budget=50)
    assert found.facts["accepted"] == []
    assert "None" in found.text() or "no design" in found.text().lower()


@pytest.mark.parametrize("hidden", [False, True])
def test_a_search_that_has_run_every_design_ends(hidden: bool, tmp_path: Path) -> None:
    """Six designs, all of them in the plan: nothing new is left to propose. Where runs of one
    design differ, designs are run again."""
    twin = {**BEAM, "variables": {
        "width": {"type": "ordinal", "levels": [10, 20, 40], "unit": "mm"},
        "height": {"type": "ordinal", "levels": [50, 70], "unit": "mm"},
        "metal": {"type": "categorical", "choices": ["steel", "aluminium"]},
    }}  # fmt: skip
    if hidden:
        twin["hidden"] = {"wear": {"low": 0, "high": 1}}
    (tmp_path / "beam.yaml").write_text(json.dumps(twin))
    asked = {"twin": str(tmp_path / "beam.yaml"), **ASKED, "proposals": 4, "budget": 60}
    asked |= {"such_that": ["deflection <= 20 mm"], "set": {"metal": "steel"}}
    found = ma.design(asked, out=tmp_path / "study", workers=1, quiet=True)
    last = found.records.of("propose")[-1].facts
    assert found.facts["runs"] < 60
    assert (len(last["u"]) > 0) == hidden
    best = found.facts["accepted"][0]["values"]
    assert (best["width"], best["height"]) == (10, 50)


def test_the_command_answers_in_words(tmp_path: Path) -> None:
    (tmp_path / "beam.yaml").write_text(json.dumps(BEAM))
    words = ["design", str(tmp_path / "beam.yaml"), "--minimise", "mass", "--set", "metal=steel"]
    words += ["--st", "deflection <= 2000 um", "--budget", "50", "-n", "5", "--batch", "10"]
    words += ["--confidence", "0.8", "--surrogate", "gaussian process", "-o", str(tmp_path / "s")]
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 0, said.output
    assert "such that deflection <= 2000 um" in said.output
    accepted = json.loads(max((tmp_path / "s" / "records").iterdir()).read_text())["facts"]
    assert {d["values"]["metal"] for d in accepted["accepted"]} == {"steel"}


def test_what_of_a_design_would_have_to_change(made: Designed) -> None:
    """A slim bar of aluminium deflects too much: it becomes wider or higher, nothing else."""
    start = {"width": 13.0, "height": 90.0, "metal": "aluminium", "deflection": 6.0}
    found = ma.nearest_designs(made.folder, start)
    assert found[0].distance <= found[-1].distance
    for change in found:
        assert change.predicted["deflection"] <= 2.0
        assert set(change.changed) == {n for n in start if n in change.values} & {
            n for n, v in change.values.items() if v != start[n]
        }
    only = ma.nearest_designs(made.folder, start, only=["width"], count=1)[0]
    assert set(only.changed) == {"width"}
    needed_mm = 12 * 1000 / (3 * 70e9 * 2e-3) / 0.09**3 * 1000  # 2 mm at 90 mm of height
    assert needed_mm <= only.values["width"] <= 1.25 * needed_mm
    with pytest.raises(DesignError, match="depth cannot change"):
        ma.nearest_designs(made.folder, start, only=["depth"])
    with pytest.raises(DesignError, match="is looked for in a run's rows; give a run"):
        ma.nearest_designs(made.folder, start, text="a light bar")
    with pytest.raises(DesignError, match="has no value of metal"):
        ma.nearest_designs(made.folder, {"width": 13.0, "height": 90.0})
    said = CliRunner().invoke(
        app,
        ["design", str(made.folder), "--near", "width=13", "--near", "height=90", "--near",
         "metal=aluminium", "--only", "width"],
    )  # fmt: skip
    assert said.exit_code == 0, said.output
    assert "width 13 -> " in said.output


def test_experiments_in_place_of_runs(made: Designed, tmp_path: Path) -> None:
    """Rows that somebody measured, and a twin that nothing can run: what to try next."""
    bare = {**BEAM, "simulator": {"type": "none"}}
    (tmp_path / "beam.yaml").write_text(json.dumps(bare))
    rows = [
        {**record["values"], **record["outcome"]["outputs"]}
        for record in runs_of(made.folder)
        if record["outcome"]["status"] == "ok"
    ][:50]
    pd.DataFrame([*rows, {"width": 20.0}]).to_csv(tmp_path / "tried.csv", index=False)
    asked = {"twin": str(tmp_path / "beam.yaml"), "rows": str(tmp_path / "tried.csv")}
    asked |= {"minimise": ["mass"], "such_that": ["deflection <= 2 mm"], "proposals": 8}
    found = ma.design(asked, out=tmp_path / "study", surrogate="gaussian process", quiet=True)
    assert found.facts["runs"] == 50
    assert found.facts["verified"] is None
    assert [r.state for r in found.records.all][-2:] == ["propose", "accept"]
    tried = pd.read_csv(tmp_path / "study" / "proposals.csv")
    assert 1 <= len(tried) <= 8
    assert tried["certified"].all()
    kg_mm = [simulate(row, seed=0, folder=tmp_path) for row in tried.to_dict("records")]
    assert np.mean([y["deflection"] <= 2.0 for y in kg_mm]) >= 0.75
    assert "1 row of the table was passed over: it lacks a variable" in found.text()
    assert "None has been run: make and measure them" in found.text()
    near = ma.nearest_designs(found.folder, {"width": 13.0, "height": 90.0, "metal": "steel"})
    assert near[0].predicted["deflection"] <= 2.0
    changed = pd.DataFrame([{**row, "mass": 2 * row["mass"]} for row in rows])
    changed.to_csv(tmp_path / "tried.csv", index=False)
    with pytest.raises(DesignError, match="rows of experiments have changed since"):
        ma.design(asked, out=tmp_path / "study", surrogate="gaussian process", resume=True)
    with pytest.raises(TwinError, match="has no simulator"):
        ma.simulate(str(tmp_path / "beam.yaml"), out=tmp_path / "rows.parquet", quiet=True)
    pd.DataFrame(rows).drop(columns="deflection").to_csv(tmp_path / "tried.csv")
    with pytest.raises(DesignError, match="has no column deflection"):
        ma.design(asked, out=tmp_path / "other", quiet=True)


def runs_of(folder: Path) -> list[dict[str, Any]]:
    """Every run of a search."""
    _, runs = read_journal(folder / "runs.jsonl")
    return [{"values": r.values, "outcome": r.outcome._asdict()} for r in runs.values()]
