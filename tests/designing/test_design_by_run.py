"""`design TWIN --run RUN`: a trained run in the simulator's place, and runs that check it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from beam_runs import COLUMNS, TASKS, beam_rows, beam_run
from beams import BEAM

import modalloy as ma
from modalloy.answer.predictor import Predictor
from modalloy.designing import propose, search
from modalloy.designing.asked import Design
from modalloy.designing.opened import open_study
from modalloy.designing.problem import Rows
from modalloy.designing.study import Study
from modalloy.designing.verb import Designed
from modalloy.errors import DesignError
from modalloy.runs.run import Run
from modalloy.twin.plans import plan

ASKED: dict[str, Any] = {"minimise": ["mass"], "such_that": ["deflection <= 2 mm"]}
ASKED |= {"budget": 50, "planned": 30, "batch": 6, "proposals": 6, "confidence": 0.8}


@pytest.fixture(scope="module", autouse=True)
def short_searches() -> Iterator[None]:
    """Fewer moves: what is found is not the best, and no test here says it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(propose, "STEPS", 5)
        patch.setattr(search, "EACH", 4)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return beam_run(tmp_path_factory.mktemp("run"), beam_rows())


def searched(run: Run | None, out: Path, *, resume: bool = False, **changes: Any) -> Designed:
    (out.parent / "beam.yaml").write_text(json.dumps(BEAM))
    asked = {"twin": "beam.yaml", **ASKED, **changes}
    asked |= {} if run is None else {"run": str(run.path)}
    (out.parent / "asked.yaml").write_text(json.dumps(asked))
    given: dict[str, Any] = {"out": out, "resume": resume, "workers": 1, "quiet": True}
    return ma.design(out.parent / "asked.yaml", **given)


@pytest.fixture(scope="module")
def made(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Designed:
    return searched(run, tmp_path_factory.mktemp("design") / "study")


def test_proposals_are_verified_and_the_margin_is_taken_from_them(made: Designed) -> None:
    assert {r.facts["surrogate"] for r in made.records.of("train")} <= {
        "trained run", "corrected run"
    }  # fmt: skip
    verified = [r.facts["verified"] for r in made.records.of("calibrate")]
    assert verified[0] == 0
    assert verified == sorted(verified)
    tried = [s for r in made.records.of("verify")[:-1] for s in r.facts["scores"]]
    assert verified[-1] == sum(s is not None for s in tried) > 0
    assert made.facts["runs"] <= 50
    assert made.facts["proposed"] > 0
    assert all(a["outputs"]["deflection"] <= 2.0 for a in made.facts["accepted"])
    for said in (made.text(), made.page.read_text()):
        assert "The run run stands in for the simulator. Its errors are those on" in said
        assert "Designs have no bolts, shift, note: the run reads them as rows" in said


def test_it_goes_on_to_the_same_designs_and_with_the_same_run_alone(
    made: Designed, run: Run, tmp_path: Path
) -> None:
    out = tmp_path / "study"
    (out / "records").mkdir(parents=True)
    for path in sorted((made.folder / "records").iterdir())[:9]:
        (out / "records" / path.name).write_bytes(path.read_bytes())
    (out / "runs.jsonl").write_bytes((made.folder / "runs.jsonl").read_bytes())
    again = searched(run, out, resume=True)
    assert again.facts["accepted"] == made.facts["accepted"]
    other = beam_run(tmp_path / "other", beam_rows(), steps=1)
    for wrong in (other, None):
        with pytest.raises(DesignError, match=r"another run stood in .* or none did"):
            searched(wrong, out, resume=True)


def test_rows_that_were_measured_tell_its_errors_too(run: Run, tmp_path: Path) -> None:
    beam_rows(30, seed=3).to_csv(tmp_path / "measured.csv", index=False)
    asked = {"twin": twin_file(tmp_path), "rows": str(tmp_path / "measured.csv"), **ASKED}
    found = ma.design(asked, out=tmp_path / "study", run=str(run.path), quiet=True)
    margin = found.records.last("calibrate")
    assert margin is not None
    assert margin.facts["planned"] == found.facts["runs"] == 30
    assert "Its errors are those on the rows given." in found.text()
    assert "None has been run" in found.text()
    assert (tmp_path / "study" / "proposals.csv").is_file()


def study_of(run: Run, **changes: Any) -> Study:
    asked = {"twin": "", "run": str(run.path), **ASKED, **changes}
    return open_study(Design.model_validate(asked))


def twin_file(folder: Path, **variables: Any) -> str:
    """The beam's file with other variables."""
    (folder / "twin.yaml").write_text(
        json.dumps({**BEAM, "variables": BEAM["variables"] | variables})
    )
    return str(folder / "twin.yaml")


def test_designs_are_asked_in_the_units_of_the_run(tmp_path: Path) -> None:
    """A run in cm and g answers a twin in mm and kg as it answers its own rows."""
    frame = beam_rows(60)
    frame["width"], frame["mass"] = frame["width"] / 10, frame["mass"] * 1000
    columns = {**COLUMNS, "width": {"type": "number", "unit": "cm"}}
    tasks = {"weight": {"type": "regress", "target": "mass", "unit": "g"}}
    tasks |= {"deflection": {"type": "regress", "target": "deflection"}}
    run = beam_run(tmp_path, frame, columns=columns, tasks=tasks)
    study = study_of(run, twin=twin_file(tmp_path))
    assert study.run is not None
    assert study.run.unsaid == ("deflection",)
    design = {"width": 30.0, "height": 50.0, "metal": "steel"}
    u_ND = study.space.encode([design])
    own = Predictor(run).answers(
        pd.DataFrame([{**design, "width": 3.0}]), inputs=["width", "height", "metal"]
    )
    answer_NO = study.run.answering.answers(u_ND)[0]
    assert study.outputs == ("mass", "deflection")
    assert answer_NO[0, 0] == pytest.approx(float(own["weight"]["value"][0]) / 1000, rel=1e-5)
    assert answer_NO[0, 1] == pytest.approx(float(own["deflection"]["value"][0]), rel=1e-5)
    past = study.run.past
    widths_mm = [design["width"] for design in study.designs(past.u_ND)]
    assert np.isclose(np.subtract.outer(widths_mm, frame["width"].to_numpy() * 10), 0).any(1).all()
    assert (
        np.isclose(np.subtract.outer(past.y_NO[:, 0], frame["mass"].to_numpy() / 1000), 0)
        .any(1)
        .all()
    )


def test_a_plan_is_apart_from_rows_planned_with_its_seed(run: Run, tmp_path: Path) -> None:
    """Designs that the run has learned from tell nothing of its errors."""
    study = study_of(run, twin=twin_file(tmp_path))
    assert study.run is not None
    seen_ND = study.run.learned_MD
    assert study.run.met(seen_ND).all()
    assert not study.run.met(seen_ND + 1e-3).any()
    new_ND = plan(study.space, 40, kind="sobol", seed=5)
    u_ND = np.concatenate([seen_ND[:10], new_ND])
    y_NO = np.abs(np.random.default_rng(0).normal(5.0, 1.0, (50, 2)))
    chosen = study.run.fit(Rows(u_ND, y_NO), confidence=0.8, seed=0)
    assert np.isnan(chosen.left_out.mean_NO[:10]).all()
    assert np.isfinite(chosen.left_out.mean_NO[10:]).all()
    with pytest.raises(DesignError, match="10 others are designs that it has learned from"):
        study.run.fit(Rows(u_ND[:12], y_NO[:12]), confidence=0.8, seed=0)


@pytest.mark.parametrize(
    ("columns", "tasks", "said"),
    [
        ({"height": None}, {}, "reads no column 'height', so it cannot tell designs apart by that"),
        ({"metal": {"type": "text"}}, {}, "reads 'metal' as text"),
        ({"width": {"type": "number", "unit": "kg"}}, {}, "has 'width' in kg, which cannot be"),
        ({}, {"mass": None}, "answers no number 'mass', which something is asked of"),
        ({}, {"mass": None, "deflection": None}, r"answers no number .*, only kind \(classify\)"),
        ({}, {"mass": {**TASKS["mass"], "unit": "Hz"}}, "has 'mass' in Hz, which cannot be"),
    ],
)
def test_a_run_of_something_else_is_refused(
    columns: dict[str, Any], tasks: dict[str, Any], said: str, tmp_path: Path
) -> None:
    own = {n: o for n, o in (COLUMNS | columns).items() if o is not None and n != "note"}
    answered = {n: t for n, t in (TASKS | tasks).items() if t is not None}
    run = beam_run(tmp_path, beam_rows(40), steps=0, columns=own, tasks=answered)
    with pytest.raises(DesignError, match=said):
        study_of(run, twin=twin_file(tmp_path))
