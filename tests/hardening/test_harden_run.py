"""A hardened run is one like any other, with its page, its parent, figures before and after."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from conftest import make_job, write_table
from modalloy.answer.predictor import Predictor
from modalloy.attacks.trial import Effort
from modalloy.commands.harden import budgets
from modalloy.hardening import judged
from modalloy.hardening.harden_run import hardened_job, say_changes
from modalloy.hardening.rows import rows_of
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.judge.compared import Compared
from modalloy.runs.run import Run
from modalloy.table.open_table import open_table
from untrained import untrained

QUICK = Effort(steps=1, restarts=2, aims=1, queries=2)
COLUMNS = ("load", "vibration")
KINDS = ("rows to attack, clean", "worst of all attacks")
VIBRATION = {"type": "series", "length": 32, "front": ["statistics"]}


class Made(NamedTuple):
    """A run that nobody trained, and the run hardened from it."""

    run: Run
    table: Path
    new: Run


def quick_job(table: Path, **harden: Any) -> config.Job:
    """A job whose hardening takes three passes, from weights that nobody trained."""
    given = {"epochs": 3, "lr": 0.01, "clean_loss": 90, "rows": 6, **harden}
    given |= {"budgets": {"vibration": "0.5 sd"}}
    job = make_job(table, columns=COLUMNS, harden=given, calibrate={}, unlike={})
    job["columns"]["vibration"] = VIBRATION
    del job["tasks"]["life"]
    return load_job(job)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Hardened once for all tests here."""
    folder = tmp_path_factory.mktemp("line")
    table = write_table(folder)
    job = quick_job(table)
    seconds = {"training": 1.0}
    given = {"job": job, "parts": {"index.bin": b"old"}, "seconds": seconds}
    run = untrained(folder / "run", table, seed=1, **given)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judged, "QUICK", QUICK)
        new = ma.harden(run, out=folder / "new", budgets={"load": "0.3 kN"}, quiet=True)
    return Made(run, table, new)


def test_the_new_run_is_whole_and_names_its_parent(made: Made) -> None:
    run, new = made.run, ma.load_run(made.new.path)
    assert new.parent == run.as_parent("harden")
    assert ma.load_run(run.path).identity == run.identity
    assert new.sealed["model.safetensors"] != run.sealed["model.safetensors"]
    assert {"robustness.html", "robustness.json", "unlike.safetensors"} <= {*new.parts}
    assert "index.bin" not in new.parts  # it was of the older weights
    assert new.job.harden.budgets == {"vibration": "0.5 sd", "load": "0.3 kN"}
    assert new.job.blend.use == "never"
    assert new.notes["hardened"]["budgets"]["load"] == "0.3 kN"
    frame = ma.predict(new, made.table, quiet=True)
    old = ma.predict(run, made.table, quiet=True)
    assert not np.allclose(frame["fault.probability"], old["fault.probability"])
    assert "fault.set" in frame
    assert [tuple(p) for p in (new.prints().train, new.prints().test)] == [
        tuple(p) for p in (run.prints().train, run.prints().test)
    ]


def test_the_table_shows_clean_attacked_and_lying_rows(made: Made) -> None:
    found = Compared.from_dict(made.new.notes["hardened"]["compared"])
    assert found.verb == "harden"
    assert found.rows == len(made.run.prints().test)
    named = {*found.tasks}
    assert {"fault, clean", "fault, FGSM", "fault, worst of all attacks"} <= named
    assert {"fault, load alone attacked", "fault, vibration lying"} <= named
    clean, worst = (found.tasks[f"fault, {kind}"]["accuracy"] for kind in KINDS)
    assert worst.after <= clean.after + 1e-9
    assert clean.interval is not None
    text = say_changes(made.new.notes)
    assert "fault, FGSM" in text
    assert "Seconds of training, of hardening" in text
    page = made.new.part("robustness.html").decode()
    assert "http" not in page.replace("http-equiv", "")
    assert "fault, FGSM" in page


def test_weights_are_chosen_by_validation_rows(made: Made) -> None:
    told = made.new.notes["hardened"]
    assert [t[0] for t in told["tried"]] == [0.0, 0.25, 0.5, 0.75, 1.0]
    least = told["tried"][0][1] - 0.9
    kept = [t for t in told["tried"] if t[1] >= least - 1e-9]
    assert told["share"] == max(kept, key=lambda t: (t[2], t[1]))[0]
    assert told["epochs"] == 3


def test_bad_input_gets_a_sentence_and_writes_nothing(made: Made, tmp_path: Path) -> None:
    def refused(error: type[Exception], said: str, **options: Any) -> None:
        with pytest.raises(error, match=said):
            ma.harden(made.run, out=tmp_path / "none", quiet=True, **options)
        assert not (tmp_path / "none").exists()

    refused(ma.JobError, "lod: this model reads no such column", budgets={"lod": "1 kN"})
    refused(ma.JobError, "load: 0.5 has no unit", budgets={"load": 0.5})
    refused(ma.JobError, "there is no 'fgsm'.* Did you mean 'fgsm_rs'", training="fgsm")
    refused(ma.JobError, "this run reads none; take fgsm_rs", training="freelb")
    refused(ma.TableError, "name the Excel file", sheet="first")
    with pytest.raises(ma.RunError, match="holds a finished run"):
        ma.harden(made.run, out=made.new.path)
    frame = pd.read_parquet(made.table)
    with pytest.raises(ma.JobError, match="no column 'vibration'"):
        ma.harden(made.run, frame.drop(columns="vibration"), out=tmp_path / "none")
    assert budgets(["photo = 8/255", "a=b=0.2 kN"]) == {"photo": "8/255", "a=b": "0.2 kN"}
    for text in ("photo", "=8/255", "photo="):
        with pytest.raises(ma.JobError, match="--budget: write COLUMN=SIZE such as photo=8/255"):
            budgets([text])
    blank = frame.assign(fault_code=None, hours_left=None)
    with pytest.raises(ma.TableError, match="no row to learn from has an answer"):
        ma.harden(made.run, blank, out=tmp_path / "none")


def test_rows_that_changed_or_are_gone_are_not_learned_from(tmp_path: Path) -> None:
    table = write_table(tmp_path, rows=24)
    run = untrained(tmp_path / "run", table, job=quick_job(table))
    frame = pd.read_parquet(table)
    frame.assign(load=frame["load"] + 1).to_parquet(table)
    with pytest.raises(ma.RunError, match="no longer holds the rows that this run was trained"):
        ma.harden(run, quiet=True)
    table.unlink()
    with pytest.raises(ma.RunError, match=r"hardening learns from rows.*or give another"):
        ma.harden(run, quiet=True)
    assert not (tmp_path / "run-hardened").exists()


def test_of_another_table_what_the_run_knew_is_left_out_of_its_test_rows(
    made: Made, tmp_path: Path
) -> None:
    frame = pd.read_parquet(made.table)
    fresh = pd.read_parquet(write_table(tmp_path, rows=60, seed=9))
    fresh["machine"] = "n" + fresh["machine"].astype(str)
    both = open_table(pd.concat([fresh, frame], ignore_index=True))
    job = hardened_job(made.run.job, both, "pgd", None)
    assert (job.table, job.harden.training) == ("<frame>", "pgd")
    found = rows_of(made.run, job, Predictor(made.run), both)
    assert found.given
    (said,) = [f for f in found.said if f.where == "rows"]
    assert said.what.endswith("test rows that the run has learned from were left out")
    left = len(found.split.test) - len(found.parts.test)
    assert said.what.startswith(f"{left} ")
    assert 0 < left < len(found.split.test)
    own = rows_of(made.run, made.run.job, Predictor(made.run), None)
    assert not own.given
    assert len(own.parts.test) == len(made.run.prints().test)
