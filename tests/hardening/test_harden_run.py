"""A hardened run is one like any other, with its page, its parent, figures before and after."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import modalloy as ma
from conftest import make_job, write_table
from modalloy.attacks.trial import Effort
from modalloy.hardening import judged
from modalloy.hardening.harden_run import say_changes
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.judge.compared import Compared
from modalloy.runs.run import Run
from untrained import untrained

QUICK = Effort(steps=2, restarts=2, aims=1, queries=4)
COLUMNS = ("load", "site", "vibration")


class Made(NamedTuple):
    """A run that nobody trained, and the run hardened from it."""

    run: Run
    table: Path
    new: Run


def quick_job(table: Path, **harden: Any) -> config.Job:
    """A job whose hardening takes two passes."""
    return load_job(
        make_job(
            table,
            columns=COLUMNS,
            harden={"epochs": 2, "rows": 8, "budgets": {"vibration": "0.5 sd"}, **harden},
            calibrate={},
            unlike={},
        )
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Hardened once for all tests here."""
    folder = tmp_path_factory.mktemp("line")
    table = write_table(folder)
    job = quick_job(table)
    seconds = {"training": 1.0}
    run = untrained(folder / "run", table, job=job, parts={"index.bin": b"old"}, seconds=seconds)
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
    assert {"fault, load alone attacked", "life, vibration lying"} <= named
    clean, worst = (
        found.tasks[f"fault, {k}"]["accuracy"] for k in ("clean", "worst of all attacks")
    )
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
    least = told["tried"][0][1] - 0.02
    kept = [t for t in told["tried"] if t[1] >= least - 1e-9]
    assert told["share"] == max(kept, key=lambda t: (t[2], t[1]))[0]
    assert told["epochs"] == 2
