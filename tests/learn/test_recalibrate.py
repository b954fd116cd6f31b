"""A run calibrated anew keeps its weights and says so; too few rows get a sentence."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

import modalloy as ma
from conftest import write_table
from modalloy.answer.answers import EVERYTHING
from modalloy.answer.predictor import Predictor
from modalloy.answer.promise import promises_of
from modalloy.answer.row_groups import RowGroup
from modalloy.answer.thresholds import Thresholds
from modalloy.learn.recalibrate import say_changes
from modalloy.runs.run import Run
from untrained import untrained

pytestmark = pytest.mark.usefixtures("no_lines")


class Made(NamedTuple):
    """A run that nobody trained, rows of another line, and the run calibrated for them."""

    run: Run
    table: Path
    new: Run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Calibrated once for all tests here."""
    folder = tmp_path_factory.mktemp("line")
    (folder / "other").mkdir()
    run = untrained(folder / "run", write_table(folder), parts={"index.bin": b"kept"})
    other = write_table(folder / "other", rows=120, seed=5)
    return Made(run, other, ma.calibrate(run, other, out=folder / "new", coverage=0.8))


def test_no_weight_changes_and_the_parent_is_named(made: Made) -> None:
    run, new = made.run, ma.load_run(made.new.path)
    assert new.sealed["model.safetensors"] == run.sealed["model.safetensors"]
    assert new.parent == run.as_parent("calibrate")
    assert new.parts == ("calibrated-rows.bin", "conformal.json", "index.bin")
    assert new.part("index.bin") == b"kept"
    assert new.job.calibrate.coverage == 0.8
    assert set(new.stages) == {"fault"}
    assert new.stages["fault"].rows == 120
    old, fresh = (ma.predict(r, made.table, quiet=True) for r in (run, new))
    assert (old["fault"] == fresh["fault"]).all()
    assert (old["life"] == fresh["life"]).all()
    assert "fault.set" not in old
    assert "life.low" in fresh
    answers = Predictor(new).answers(made.table, hidden=[frozenset({"table"})])
    assert set(answers.hidden[frozenset({"table"})]["fault"]) >= {"probability", "set"}
    assert EVERYTHING not in answers.hidden


def test_the_table_shows_both_on_rows_that_neither_was_fitted_on(made: Made) -> None:
    tasks = made.new.notes["recalibrated"]["tasks"]
    assert set(tasks["fault"]["before"]) == {"ece"}
    assert set(tasks["fault"]["after"]) == {"ece", "coverage", "size", "sure"}
    assert tasks["fault"]["after"]["coverage"] == pytest.approx(0.8, abs=0.1)
    assert tasks["life"]["after"]["coverage"] == pytest.approx(0.8, abs=0.1)
    lines = say_changes(made.new.notes).splitlines()
    assert lines[0].split() == ["task", "figure", "before", "after"]
    assert any("Calibration error" in line for line in lines)
    assert lines[-1].startswith("on 120 rows")


def test_rows_that_it_was_calibrated_on_are_known_again(made: Made, tmp_path: Path) -> None:
    report = ma.evaluate(made.new, made.table, out=tmp_path / "r.html", quiet=True)
    # Rows that lack their load are alike, so that no fingerprint names one of them.
    (seen,) = [f["what"] for f in report.findings if f["level"] == "leak"]
    assert 90 < int(seen.split()[0]) <= 120
    assert report.calibrated["fault"]["source"] == "given"
    found = promises_of(made.new)["life"]
    assert isinstance(found, Thresholds)
    kinds = {tuple(k["missing"]): k for k in report.calibrated["life"]["kinds"]}
    assert kinds[()]["own"]
    assert kinds[("load",)]["own"]  # 15 rows are enough for 80 %
    assert kinds[("load",)]["fitted_on"] == found.of(RowGroup(("load",))).rows < 20
    assert kinds[()]["fitted_on"] == found.of(RowGroup()).rows > 90


def test_bad_input_gets_a_sentence(made: Made, tmp_path: Path) -> None:
    frame = pd.read_parquet(made.table)
    with pytest.raises(ma.TableError, match="8 rows have an answer of fault, and a coverage of 90"):
        ma.calibrate(made.run, frame.head(8), out=tmp_path / "a")
    with pytest.raises(ma.TableError, match="needs at least 9"):
        ma.calibrate(made.run, frame.head(8), out=tmp_path / "a")
    assert not (tmp_path / "a").exists()
    with pytest.raises(ma.RunError, match="holds a finished run"):
        ma.calibrate(made.run, made.table, out=made.new.path)
    with pytest.raises(ma.RunError, match=r"coverage: 1\.5 is no share"):
        ma.calibrate(made.run, made.table, out=tmp_path / "a", coverage=1.5)
    one = frame[frame["fault_code"] == "ok"]
    new = ma.calibrate(made.run, one, out=tmp_path / "b")
    said = [f["text"] for f in new.notes["recalibrated"]["said"]]
    assert any("'crack' is the class of none of the" in text for text in said)
    own = Path(made.run.job.table)
    with pytest.raises(ma.TableError, match="that the model has learned from"):
        ma.calibrate(made.run, pd.read_parquet(own).iloc[np.arange(4)], out=tmp_path / "c")
