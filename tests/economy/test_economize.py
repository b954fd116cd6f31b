"""`economize`: a run that buys row by row, certified; answers are those with the rest hidden."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from conftest import make_job, write_table
from modalloy.answer.answers import Answer
from modalloy.answer.predictor import Predictor
from modalloy.answer.promise import promises_of
from modalloy.blend.mixture import Blend, Mixture
from modalloy.classical.blocks import FeatureBlock
from modalloy.classical.method import FittedMethod
from modalloy.economy import economize_run
from modalloy.economy.arms import cascade, fitted_q, static
from modalloy.economy.economize_run import say_changes
from modalloy.job.job_file import load_job
from modalloy.learn.unlike import view_rows
from modalloy.media.media import open_image
from modalloy.policy.plan import plan_of
from modalloy.readers import image
from modalloy.runs.run import Run
from modalloy.table.open_table import open_table
from modalloy.unlike.fitting import fit_likeness
from untrained import untrained

COLUMNS = ("load", "site", "photo", "vibration")
COSTS = {"photo": 4.0, "vibration": 2.0, "table": 1.0}


class Made(NamedTuple):
    """A run, its table, and the run that buys."""

    run: Run
    table: Path
    new: Run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Economized once for all tests here."""
    folder = tmp_path_factory.mktemp("plant")
    table = write_table(folder, rows=340)
    run = untrained(folder / "run", table, job=load_job(job_of(table)), steps=25)
    with pytest.MonkeyPatch.context() as patch:  # what the others learn, test_arms.py asks
        patch.setattr(economize_run, "ARMS", (static, cascade, fitted_q))
        new = ma.economize(run, out=folder / "new", alpha=0.05, costs=COSTS, quiet=True)
    return Made(run, table, new)


def job_of(table: Path, **changes: Any) -> dict[str, Any]:
    """A job with rows to learn policies from, and to certify them by."""
    split = {"random": "stratified", "test": 0.15, "validation": 0.2, "calibration": 0.5}
    task = {"fault": {"type": "classify", "target": "fault_code"}}
    given: dict[str, Any] = {"columns": COLUMNS, "split": split, "tasks": task}
    job = make_job(table, **{**given, **changes})
    job["columns"]["vibration"]["front"] = ["statistics"]
    return job


def test_a_run_that_buys_is_a_run_with_its_parent_and_its_certificate(made: Made) -> None:
    run, new = made.run, ma.load_run(made.new.path)
    assert new.sealed["model.safetensors"] == run.sealed["model.safetensors"]
    assert new.parent == run.as_parent("economize")
    assert new.parts == ("policy.safetensors",)
    assert (new.job.economize.alpha, new.job.economize.costs) == (0.05, COSTS)
    plan = plan_of(new)
    assert plan is not None
    assert plan.inputs == ("table", "photo", "vibration")
    assert (plan.costs, plan.unit) == (COSTS, "")
    kept = plan.certificate
    assert kept["worse"] <= kept["allowed"]
    assert kept["p"] <= 0.1
    assert kept["source"].startswith("learned from validation rows")
    note = new.notes["economized"]
    cost = note["costs"]["Cost a row"]
    assert cost[1] < 0.6 * cost[0]
    lines = say_changes(new.notes).splitlines()
    assert lines[0].split() == ["task", "figure", "before", "after", "change"]
    assert any("with 90 % probability at most 5 % more wrong decisions" in s for s in lines)
    page = (new.path / "economize.html").read_text()
    for arm in note["arms"]:
        assert arm["arm"] in page
    assert "fitted Q (RL)" in page


def test_answers_are_those_with_the_rest_hidden(made: Made) -> None:
    bought = Predictor(made.new).frame(made.table, part=slice(0, 60))
    ways = bought["bought"].unique()
    assert len(ways) > 1
    for way in ways:
        rows = bought[bought["bought"] == way]
        inputs = [n for part in way.split(" | ") for n in named(part)]
        known = Predictor(made.run).frame(made.table, inputs=inputs, part=slice(0, 60))
        same = known.loc[rows.index]
        assert (rows["fault"] == same["fault"]).all()
        gap = rows["fault.probability"] - same["fault.probability"]
        assert gap.abs().max() < 1e-5


class Loads:
    """A method that answers by the load alone."""

    def answer(self, blocks: Mapping[str, FeatureBlock], rows: int) -> Answer:
        """Undecided where it is missing."""
        assert rows == len(blocks["load"].values)
        p_B = 1.0 / (1.0 + np.exp(-np.nan_to_num(np.asarray(blocks["load"].values)[:, 0])))
        return {"probability": np.stack([p_B, 1.0 - p_B], axis=1)}


def test_blends_promises_and_unlike_rows_are_those_with_the_rest_hidden(
    made: Made, tmp_path: Path
) -> None:
    promises = promises_of(ma.calibrate(made.run, made.table, out=tmp_path / "calibrated"))
    before, after = Predictor(made.run), Predictor(made.new)
    loader, _ = before.open(open_table(made.table))
    model: Any = Loads()
    method = FittedMethod("loads", {"load": made.run.readers["load"]}, (), model)
    mixture = Mixture(0.5, {"photo": 0.2, "vibration": 0.1}, ((0.2, method),))
    rows_of = (np.arange(200), np.arange(200, 340))
    views = [view_rows(before.model, loader, which, []) for which in rows_of]
    likeness = fit_likeness(*views, share=0.05, groups=None, pooled=[])
    for predictor in (before, after):
        predictor.blend, predictor.promises = Blend({"fault": mixture}), promises
        predictor.likeness = likeness
    bought = after.frame(made.table, part=slice(0, 60))
    assert len(bought["bought"].unique()) > 1
    columns = ["fault.p[crack]", "fault.set", "fault.abstain", "unlike.score"]
    for way, rows in bought.groupby("bought"):
        inputs = [n for part in str(way).split(" | ") for n in named(part)]
        known = before.frame(made.table, inputs=inputs, part=slice(0, 60)).loc[rows.index]
        pd.testing.assert_frame_equal(rows[columns], known[columns], atol=1e-4)


def named(part: str) -> list[str]:
    """Columns of an input."""
    return {"": [], "table": ["load", "site"]}.get(part, [part])


def test_one_row_answers_as_in_a_batch(made: Made) -> None:
    predictor = Predictor(made.new)
    together = predictor.frame(made.table, part=slice(0, 40))
    for row in (0, 7, 14, 39):
        alone = predictor.frame(made.table, part=slice(row, row + 1))
        assert alone["bought"][0] == together["bought"][row]
        gap = alone["fault.probability"][0] - together["fault.probability"][row]
        assert abs(gap) < 1e-5


def test_files_that_are_not_bought_are_not_opened(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []

    def noted(file: Any, *given: Any, **options: Any) -> Any:
        opened.append(file)
        return open_image(file, *given, **options)

    monkeypatch.setattr(image, "open_image", noted)
    found = ma.predict(made.new, made.table, quiet=True)
    bought = found["bought"].str.contains("photo")
    assert len(opened) == bought.sum() == found.attrs["saved"]["bought"]["photo"]
    assert len(opened) < found.attrs["saved"]["there"]["photo"]
    assert set(found["status.photo"][~bought]) <= {"not bought", "missing"}
    assert set(found["status.photo"][bought]) == {"ok"}


def test_what_is_not_bought_is_not_seen(made: Made) -> None:
    """Other pictures, series and numbers in place of all that was not bought change nothing."""
    frame = pd.read_parquet(made.table)
    before = Predictor(made.new).frame(made.table)
    other = frame.copy()
    skips = {n: ~before["bought"].str.contains(n) for n in ("photo", "vibration", "table")}
    saved = before.attrs["saved"]
    assert sum(saved["there"].values()) - sum(saved["bought"].values()) > 100
    other.loc[skips["photo"] & other["photo"].notna(), "photo"] = "img/no_such.png"
    loud, pairs = np.full(32, 1e3), zip(skips["vibration"], other["vibration"], strict=True)
    other["vibration"] = [loud if skip and v is not None else v for skip, v in pairs]
    other.loc[skips["table"] & other["load"].notna(), "load"] = -1e6
    other.to_parquet(made.table.parent / "other.parquet", index=False)
    after = Predictor(made.new).frame(made.table.parent / "other.parquet")
    columns = ["fault", "fault.probability", "bought"]
    pd.testing.assert_frame_equal(before[columns], after[columns], atol=1e-6)


def test_missing_cells_are_not_bought_and_say_so(made: Made) -> None:
    found = ma.predict(made.new, made.table, quiet=True)
    frame = pd.read_parquet(made.table)
    gone = frame["photo"].isna()
    assert not found["bought"][gone].str.contains("photo").any()
    assert set(found["status.photo"][gone]) == {"missing"}
    saved = found.attrs["saved"]
    assert saved["there"]["photo"] == (~gone).sum()
    assert 0.0 < saved["cost"] < saved["full"]


def test_costs_alpha_and_sure_change_what_is_bought(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(economize_run, "ARMS", (static, cascade))

    def mean_cost(name: str, **options: Any) -> tuple[float, dict[str, Any]]:
        new = ma.economize(made.run, out=tmp_path / name, quiet=True, **options)
        note = new.notes["economized"]
        return note["costs"]["Cost a row"][1], note["certificate"]

    strict, kept = mean_cost("strict", alpha=0.04, sure=0.95, costs=COSTS)
    assert (kept["alpha"], kept["sure"]) == (0.04, 0.95)
    loose, was = mean_cost("loose", alpha=0.2, sure=0.6, costs=COSTS)
    assert kept["allowed"] < was["allowed"]
    assert strict >= loose
    other = {"photo": 1.0, "vibration": 50.0, "table": 20.0}
    dear, _ = mean_cost("dear", alpha=0.05, costs=other)
    assert dear != pytest.approx(loose)
    job = load_job(job_of(made.table, economize={"costs": COSTS, "alpha": 0.2, "sure": 0.6}))
    named = dataclasses.replace(made.run, job=job)
    new = ma.economize(named, out=tmp_path / "named", quiet=True)  # the job says it all
    assert new.notes["economized"]["costs"]["Cost a row"][1] == loose


def test_a_report_judges_what_is_bought(made: Made, tmp_path: Path, no_lines: None) -> None:
    frame = pd.read_parquet(made.table).head(90)
    frame.to_parquet(made.table.parent / "some.parquet", index=False)
    some = made.table.parent / "some.parquet"
    report = ma.evaluate(made.new, some, out=tmp_path / "r.html", quiet=True)
    answers = ma.predict(made.new, some, quiet=True)
    right = (answers["fault"] == frame["fault_code"]).mean()
    assert report.tasks["fault"]["accuracy"] == pytest.approx(right)
    assert any("columns that the run's policy" in f["what"] for f in report.findings)


def test_a_row_is_explained_by_what_is_bought(made: Made) -> None:
    pytest.importorskip("captum")
    found = ma.predict(made.new, made.table, rows=slice(0, 20), quiet=True)
    row = int(found.index[found["bought"] == "table"][0])
    why = ma.explain(made.new, made.table, row=row, past=0, quiet=True)
    assert set(why.as_dict()["tasks"]["fault"]["columns"]) <= {"load", "site"}


def test_a_policy_of_other_weights_says_so(made: Made, tmp_path: Path) -> None:
    data = made.new.part("policy.safetensors")
    other = untrained(
        tmp_path / "other", made.table, job=made.run.job, seed=5, parts={"policy.safetensors": data}
    )
    found = ma.predict(other, made.table, rows=slice(0, 4), quiet=True)
    assert any("certified for other weights" in said for said in found.attrs["caveats"])
    known = ma.predict(made.new, made.table, rows=slice(0, 4), quiet=True)
    assert not any("certified" in said for said in known.attrs["caveats"])


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        ({"load": 1.0}, r"economize\.costs\.load: is no input of its own"),
        ({"foto": 1.0}, r"economize\.costs\.foto: is no input.* Did you mean 'photo'"),
        ({"photo": -1.0}, r"economize\.costs\.photo: must be"),
    ],
)
def test_costs_in_the_job_are_checked_with_the_job(costs: dict[str, float], said: str) -> None:
    with pytest.raises(ma.JobError, match=said):
        load_job(make_job("parts.csv", columns=COLUMNS, economize={"costs": costs}))


def test_halves_of_a_given_table_teach_and_certify(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(economize_run, "ARMS", (static,))
    monkeypatch.setattr(economize_run, "MOST", 2)  # of three inputs the cheapest is always bought
    new = ma.economize(
        made.run, made.table, out=tmp_path / "x", alpha=0.05, costs=COSTS, quiet=True
    )
    said = new.notes["economized"]["said"]
    assert any("rows that the model has learned from were left out" in line for line in said)
    assert any("table cost least and are always bought" in line for line in said)
    assert "learned from one half of the given rows, certified by the other" in said
    plan = plan_of(new)
    assert plan is not None
    assert (plan.always, plan.inputs) == (("table",), ("photo", "vibration"))
    found = ma.predict(new, made.table, quiet=True)
    assert found["bought"].str.startswith("table").all()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"costs": {"photo": 1.0}}, ma.JobError, "vibration none; give each of them one"),
        ({"costs": {"load": 1.0}}, ma.JobError, "'load' is no input of its own"),
        ({"costs": {"foto": 1.0}}, ma.JobError, "Did you mean 'photo'"),
        ({"costs": {"photo": -1.0, "vibration": 1.0}}, ma.JobError, "-1 is no cost"),
        ({"costs": {"photo": 0.0, "vibration": 0.0}}, ma.JobError, "every cost is 0"),
        ({"alpha": 0.005}, ma.TableError, "needs at least 460"),
        ({"alpha": 2.0}, ma.JobError, "alpha: 2 is no share"),
    ],
)
def test_bad_input_gets_a_sentence(
    made: Made, tmp_path: Path, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        ma.economize(made.run, out=tmp_path / "x", quiet=True, **options)
    assert not (tmp_path / "x").exists()
