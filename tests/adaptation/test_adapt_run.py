"""A run learns from labelled rows of another kind, and says on held-back rows what that changed."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file

import modalloy as ma
from adapting import KIND, WAVES, job_of, trained, write_waves
from modalloy.adaptation.asked import METHODS, Asked, refuse_mixed
from modalloy.answer.predictor import Predictor
from modalloy.judge.compared import Compared
from modalloy.report.rescore import given_rows
from modalloy.runs.run import Run
from modalloy.table.open_table import open_table

COLUMNS = {"heat": {"type": "number", "bins": 4}} | WAVES


class Made(NamedTuple):
    """A run, rows of a line whose sensors are wired the other way round, and runs that learned."""

    run: Run
    frame: pd.DataFrame
    head: Run
    full: Run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Trained and adapted once for all tests here."""
    folder = tmp_path_factory.mktemp("adapt")
    table = write_waves(folder / "waves.parquet")
    run = trained(folder / "run", job_of(table, COLUMNS, KIND, calibrate={}, unlike={}))
    frame = pd.read_parquet(write_waves(folder / "new.parquet", rows=150, seed=1))
    frame["up"], frame["side"] = [-x for x in frame["up"]], [-x for x in frame["side"]]
    frame["heat"] = 40 - frame["heat"]
    adapted = [ma.adapt(run, frame, out=folder / m, method=m, quiet=True) for m in ("head", "full")]
    return Made(run, frame, *adapted)


def held_back(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that the job's own split holds back."""
    return frame[frame["part"] == "test"]


def test_the_table_is_of_rows_held_back_and_of_old_test_rows(made: Made) -> None:
    found = Compared.from_dict(made.full.notes["adapted"]["compared"])
    for rows, task in (
        (held_back(made.frame), "kind"),
        (held_back(pd.read_parquet(made.run.job.table)), "kind (old test rows)"),
    ):
        pair = found.tasks[task]["accuracy"]
        for run, figure in ((made.run, pair.before), (made.full, pair.after)):
            said = ma.predict(run, rows, quiet=True)["kind"].to_numpy()
            assert figure == pytest.approx((said == rows["kind"].to_numpy()).mean())
    gained = found.tasks["kind"]["accuracy"]
    assert gained.after is not None
    assert gained.before is not None
    assert gained.after > gained.before + 0.1
    assert found.rows == 30
    text = found.text()
    assert "30 new rows held back from both, and 48 old test rows" in text
    assert "90 new rows were learned from, 30 said when to stop, 30 were held back" in text


def test_the_old_run_stays_and_the_new_one_names_it(made: Made) -> None:
    again = ma.load_run(made.run.path)
    assert again.sealed == made.run.sealed
    new = ma.load_run(made.full.path)
    assert new.parent == made.run.as_parent("adapt")
    assert new.readers == again.readers
    assert new.job == again.job
    assert set(new.parts) == {
        "adapted-rows.bin",
        "conformal.json",
        "unlike.safetensors",
        "watch.safetensors",
    }


def test_a_head_learns_alone(made: Made) -> None:
    before, head, full = (
        load_file(r.path / "model.safetensors") for r in (made.run, made.head, made.full)
    )
    moved = {n for n in before if not (before[n] == head[n]).all()}
    assert moved
    assert all(n.startswith(("tasks.", "auxiliary.")) for n in moved)
    assert any(n.startswith("fusion.") and not (before[n] == full[n]).all() for n in before)


def test_what_it_promises_and_what_is_unlike_is_of_the_new_weights(made: Made) -> None:
    old, new = Predictor(made.run), Predictor(made.full)
    assert set(new.promises) == {"kind"}
    assert new.promises["kind"] != old.promises["kind"]
    assert new.likeness is not None
    rows = held_back(made.frame)
    assert (old.frame(rows)["unlike"] == "yes").mean() > 0.5
    assert (new.frame(rows)["unlike"] == "yes").mean() < 0.3
    said = [f["what"] for f in made.full.notes["adapted"]["said"]]
    assert any("was fitted anew on 30 new rows" in s for s in said)


def test_a_row_is_answered_alone_as_in_a_batch(made: Made) -> None:
    rows = made.frame.head(5)
    whole = ma.predict(made.full, rows, quiet=True)["kind.p[flat]"].to_numpy()
    alone = [
        ma.predict(made.full, rows, rows=slice(i, i + 1), quiet=True)["kind.p[flat]"].item()
        for i in range(5)
    ]
    np.testing.assert_allclose(whole, alone, atol=1e-6)


def test_rows_that_were_learned_from_are_known_again(made: Made, tmp_path: Path) -> None:
    _, _, extras = given_rows(Predictor(made.full), open_table(made.frame))
    (seen,) = [f["what"] for f in extras.findings if f["level"] == "leak"]
    assert seen.startswith("120 of 150 rows")
    learned = made.frame[made.frame["part"] == "train"].head(10)
    rows = pd.concat([learned, held_back(made.frame).head(8)])
    with pytest.raises(ma.TableError, match=r"8 rows have an answer.*besides 10 that the model"):
        ma.adapt(made.full, rows, out=tmp_path / "x")


def test_without_the_old_table_nobody_knows_what_is_forgotten(made: Made, tmp_path: Path) -> None:
    gone = pd.read_parquet(made.run.job.table)
    table = tmp_path / "gone.parquet"
    gone.to_parquet(table)
    run = trained(tmp_path / "run", job_of(table, COLUMNS, KIND))
    table.unlink()
    new = ma.adapt(run, made.frame, out=tmp_path / "new", method="head", quiet=True)
    compared = Compared.from_dict(new.notes["adapted"]["compared"])
    assert list(compared.tasks) == ["kind"]
    assert any("what was forgotten of the old rows is not known" in s for s in compared.said)
    with pytest.raises(ma.RunError, match="a window keeps what was known by the old rows"):
        ma.adapt(run, made.frame.assign(day=1.0), out=tmp_path / "w", window="5", time="day")
    assert not (tmp_path / "w").exists()


def test_bad_input_gets_a_sentence(made: Made, tmp_path: Path) -> None:
    out = tmp_path / "new"
    frame = made.frame.copy()
    frame.loc[3, "kind"] = "dented"
    with pytest.raises(ma.TableError, match="row 3: 'dented' is a class that this run never knew"):
        ma.adapt(made.run, frame, out=out)
    with pytest.raises(ma.TableError, match=r"5 rows have an answer .* needs at least 12"):
        ma.adapt(made.run, made.frame.head(5), out=out)
    with pytest.raises(ma.RunError, match="holds a finished run"):
        ma.adapt(made.run, made.frame, out=made.full.path)
    own = pd.read_parquet(made.run.job.table)
    with pytest.raises(ma.TableError, match="that the model has learned from"):
        ma.adapt(made.run, own[own["part"] == "train"].head(20), out=out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"method": "loraa"}, "method: 'loraa' is no way to fine-tune. Did you mean 'lora'"),
        ({"rank": 4, "method": "head"}, "rank: 4 is none that head can have"),
        ({"budget_kb": 5.0, "method": "ia3"}, "budget_kb: 5 shares no ranks out under ia3"),
        ({"last_n": 0}, "last_n: 0 is no number of blocks"),
        ({"minutes": 0.0}, "minutes: 0 is no time"),
        ({"replay": 1.0}, "replay: 1 is no share"),
        ({"window": "soon"}, "window: 'soon' is no stretch of time; write 30d"),
        ({"time": "day"}, "time: is the column that a window goes by"),
        ({"window": "3d", "name": "a"}, "leave --name out"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict, said: str) -> None:
    with pytest.raises(ma.RunError) as error:
        Asked(**given)
    assert said in str(error.value)
    assert len(METHODS) == 11


def test_options_of_the_other_way_are_refused() -> None:
    with pytest.raises(ma.RunError, match="tent: is for adapting without labels"):
        refuse_mixed(Asked(), without_labels=False, tent=True, canary=False)
    with pytest.raises(ma.RunError, match="method: is for labelled rows"):
        refuse_mixed(Asked(method="head"), without_labels=True, tent=False, canary=False)
    refuse_mixed(Asked(), without_labels=True, tent=True, canary=True)
