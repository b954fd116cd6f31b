"""`design` from a twin to verified designs: on a bar whose best design is known."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from beams import BEAM
from typer.testing import CliRunner

import modalloy as ma
from modalloy.cli import app
from modalloy.designing.verb import Designed
from modalloy.errors import DesignError, JobError, TwinError

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
        ({"planned": 8, "budget": 60}, "a margin for 95.0% needs"),
    ],
)
def test_what_is_asked_wrongly_gets_a_sentence(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises((JobError, DesignError, TwinError), match=said):
        searched(tmp_path / "study", **changes)


def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    found = searched(tmp_path / "study", such_that=["deflection <= 0.01 mm"], budget=50)
    assert found.facts["accepted"] == []
    assert "None" in found.text() or "no design" in found.text().lower()


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
