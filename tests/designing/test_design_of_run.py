"""`design RUN`: what a trained run foretells of designs, and what is to be tried next."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from beam_runs import COLUMNS, TASKS, beam_rows, beam_run
from typer.testing import CliRunner

import modalloy as ma
from modalloy.answer.predictor import Predictor
from modalloy.cli import app
from modalloy.commands import design
from modalloy.designing import propose, run_stand_in, search
from modalloy.designing.asked import Design
from modalloy.designing.extrapolation import fit_reach
from modalloy.designing.opened import open_study
from modalloy.designing.verb import Designed
from modalloy.errors import DesignError, JobError
from modalloy.runs.run import Run
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

ASKED: dict[str, Any] = {"minimise": ["mass"], "such_that": ["deflection <= 4000 um"]}
ASKED |= {"proposals": 6, "confidence": 0.8}
READ = ["width", "height", "metal", "bolts", "shift"]


@pytest.fixture(scope="module", autouse=True)
def short_searches() -> Iterator[None]:
    """Fewer moves: what is found is not the best, and no test here says it is. One thread: two
    that share a busy core wait for each other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(design, "take_cores", lambda: None)
        patch.setattr(propose, "STEPS", 5)
        patch.setattr(search, "EACH", 4)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return beam_run(tmp_path_factory.mktemp("run"), beam_rows())


@pytest.fixture(scope="module")
def made(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Designed:
    """By the run as it is, not put right."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_stand_in, "correct", lambda of, said, *_, **__: (of, said))
        return ma.design(run.path, out=tmp_path_factory.mktemp("s") / "study", **ASKED)


def test_nothing_is_run_and_designs_lie_where_it_has_learned(made: Designed, run: Run) -> None:
    states = [r.state for r in made.records.all]
    assert states == ["plan", "simulate", "ingest", "train", "calibrate", "propose", "accept"]
    assert made.facts["verified"] is None
    tried = pd.read_csv(made.folder / "proposals.csv")
    assert len(tried) == 6
    learned = beam_rows().iloc[split_job(open_table(run.job.table), run.job).train]
    for name in ("width", "height", "bolts"):
        assert tried[name].between(learned[name].min(), learned[name].max()).all()
    assert set(tried["metal"]) <= {"steel", "aluminium"}
    assert (tried["bolts"] % 1 == 0).all()
    assert {"note", "shift", "machine"}.isdisjoint(tried.columns)


def test_what_is_foretold_is_what_the_run_answers(made: Designed, run: Run) -> None:
    tried = pd.read_csv(made.folder / "proposals.csv")
    rows = tried[["width", "height", "metal", "bolts"]].assign(shift="early", note="a bar")
    told = Predictor(run).answers(rows, inputs=READ)
    np.testing.assert_allclose(tried["mass.foretold"], told["mass"]["value"], rtol=1e-5)


def test_errors_are_those_on_rows_read_as_designs_are(made: Designed, run: Run) -> None:
    parts = split_job(open_table(run.job.table), run.job)
    held = beam_rows().iloc[parts.validation]
    told = Predictor(run).answers(held, inputs=READ)
    rmse = np.sqrt(((told["mass"]["value"] - held["mass"].to_numpy()) ** 2).mean())
    trained = made.records.last("train")
    assert trained is not None
    assert trained.facts["surrogate"] == "trained run"
    assert trained.facts["scores"]["mass"]["rmse"] == pytest.approx(rmse, rel=0.05)
    margin = made.records.last("calibrate")
    assert margin is not None
    assert (margin.facts["planned"], margin.facts["verified"]) == (len(held), 0)
    plan = made.records.last("plan")
    assert plan is not None
    assert plan.facts["runs"] == len(held) + len(parts.train)  # and no test row
    assert plan.facts["run"]["telling"] == len(held)
    with_notes = Predictor(run).answers(held)["mass"]["value"]
    assert (with_notes != told["mass"]["value"]).any()


def test_far_from_all_rows_is_an_extrapolation(made: Designed) -> None:
    proposed = made.records.last("propose")
    assert proposed is not None
    study = open_study(asked_of(made))
    assert study.run is not None
    reach = fit_reach(study.run.past.u_ND)
    found = reach.extrapolates(np.array(proposed.facts["u"])).tolist()
    assert proposed.facts["extrapolates"] == found


def asked_of(made: Designed) -> Design:
    plan = made.records.last("plan")
    assert plan is not None
    return Design.model_validate(plan.facts["asked"])


def test_terminal_and_page_say_what_is_not_proven(made: Designed) -> None:
    for said in (made.text(), made.page.read_text()):
        assert "None has been run: make and measure them" in said
        assert "designs that were picked may break limits far more often" in said
        assert "The run run foretells designs. Its errors are those on" in said
        assert "(validation rows), by which its training was stopped." in said
        assert "Designs have no note: the run reads them as rows that lack this" in said
    assert f"{made.facts['runs']} rows in all." in made.text()
    assert "Best of the rows given: mass" in made.text()
    assert "trained run" in made.page.read_text()


def test_what_no_margin_certifies_is_said(run: Run, tmp_path: Path) -> None:
    asked = {**ASKED, "such_that": ["deflection <= 0.01 mm"]}
    found = ma.design(run.path, out=tmp_path / "study", **asked)
    assert not pd.read_csv(found.folder / "proposals.csv")["certified"].any()
    assert "None of the proposed designs is certified" in found.text()
    assert "None of the proposed designs is certified" in found.page.read_text()
    assert f"None of the {found.facts['runs']} rows given keeps everything" in found.text()


def test_a_process_of_its_errors_may_put_it_right(run: Run, made: Designed, tmp_path: Path) -> None:
    found = ma.design(run.path, out=tmp_path / "study", **ASKED)
    trained, plain = found.records.last("train"), made.records.last("train")
    assert trained is not None
    assert plain is not None
    assert trained.facts["surrogate"] == "corrected run"
    compared = trained.facts["compared"]
    assert compared["corrected run"] > compared["trained run"]
    assert trained.facts["scores"]["mass"]["r2"] > plain.facts["scores"]["mass"]["r2"]


def test_the_command_sets_resumes_and_refuses_another_run(run: Run, tmp_path: Path) -> None:
    words = ["design", str(run.path), "--minimise", "mass", "--st", "deflection <= 4 mm", "-n", "3"]
    words += ["--confidence", "0.8", "--set", "metal=steel", "--set", "bolts=4"]
    words += ["-o", str(tmp_path / "study")]
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 0, said.output
    tried = pd.read_csv(tmp_path / "study" / "proposals.csv")
    assert set(tried["metal"]) == {"steel"}
    assert set(tried["bolts"]) == {4}
    again = CliRunner().invoke(app, [*words, "--resume"])
    assert again.exit_code == 0, again.output
    other = beam_run(tmp_path / "other", beam_rows(), steps=1)
    refused = CliRunner().invoke(app, [words[0], str(other.path), *words[2:], "--resume"])
    assert refused.exit_code == 2
    assert "another run stood in" in " ".join(refused.output.split())


def test_what_of_a_design_would_have_to_change(made: Designed) -> None:
    start = {"width": 15.0, "height": 50.0, "metal": "aluminium", "bolts": 3}
    found = ma.nearest_designs(made.folder, start, count=1)
    assert found[0].predicted["deflection"] <= 4.0
    with pytest.raises(JobError, match="holds a finished search"):
        ma.design(made.folder, out="nowhere", **ASKED)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"set": {"note": "a bar"}}, r"set: 'note' \(text\) cannot be set"),
        ({"set": {"metal": "wood"}}, "metal"),
        ({"minimise": ["weight"]}, "no output or variable 'weight'"),
        ({"such_that": ["bolts <= 4 mm"]}, "'bolts' has no unit; leave out 'mm'"),
        ({"such_that": ["deflection <= 4 kg"]}, "cannot be converted"),
        ({"confidence": 0.99}, "a margin for 99.0% needs 99"),
        ({"surrogate": "gaussian process"}, "leave out surrogate or run"),
        ({"rows": "more.csv"}, "gives rows beside a run, which has rows of its own"),
    ],
)
def test_what_is_asked_wrongly_gets_a_sentence(
    run: Run, changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ma.errors.ModalloyError, match=said):
        ma.design(run.path, out=tmp_path / "study", **{**ASKED, **changes})


def test_a_run_without_numbers_is_refused(tmp_path: Path) -> None:
    names = beam_run(tmp_path / "a", beam_rows(40), steps=0, tasks={"kind": TASKS["kind"]})
    with pytest.raises(DesignError, match=r"answers no number .*, only kind \(classify\)"):
        ma.design(names.path, out=tmp_path / "study", **ASKED)
    columns = {n: COLUMNS[n] for n in ("note", "shift", "machine")}
    notes = beam_run(tmp_path / "b", beam_rows(40), steps=0, columns=columns)
    with pytest.raises(DesignError, match="reads no column of numbers or categories that varies"):
        ma.design(notes.path, out=tmp_path / "study", **ASKED)
    columns = {**COLUMNS, "mass": {"type": "number"}}
    tasks = {"mass": {"type": "regress", "target": "deflection"}}
    both = beam_run(tmp_path / "c", beam_rows(40), steps=0, columns=columns, tasks=tasks)
    with pytest.raises(DesignError, match="'mass' is a column that it reads and a task"):
        ma.design(both.path, out=tmp_path / "study", minimise=["mass"])
