"""As the world moves, a window learns the newest, keeps the old, and beats appending."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import modalloy as ma
from adapting import job_of, trained, write_tide
from modalloy.adaptation.account import refuse_forgetting
from modalloy.adaptation.adapt_run import adapt_run
from modalloy.adaptation.asked import Asked
from modalloy.judge.compared import Compared
from modalloy.runs.run import Run
from modalloy.table.open_table import open_table

COLUMNS = {"x": {"type": "number", "bins": 12}, "tool": {"type": "number", "bins": 4}}
TASKS = {"y": {"type": "regress", "target": "y"}}


def errors(run: Run, table: Path) -> tuple[float, float]:
    """Root mean square error and R² of test rows."""
    rows = pd.read_parquet(table)
    rows = rows[rows["part"] == "test"]
    away = ma.predict(run, rows, quiet=True)["y"].to_numpy() - rows["y"].to_numpy()
    return float((away**2).mean() ** 0.5), float(1 - (away**2).mean() / rows["y"].var(ddof=0))


def test_the_newest_is_learned_and_the_old_kept(tmp_path: Path) -> None:
    old, new = write_tide(tmp_path / "old.parquet"), tmp_path / "new.parquet"
    write_tide(new, rows=150, new=True, seed=1)
    job = job_of(old, COLUMNS, TASKS)
    job["train"] = {"lr": 5e-3, "batch": 32, "precision": "float32", "folds": 0, "least_steps": 120}
    run = trained(tmp_path / "run", job)
    given = {"method": "full", "window": "30", "time": "day", "quiet": True}
    moved = ma.adapt(run, new, out=tmp_path / "moved", **given)
    pd.concat([pd.read_parquet(p) for p in (old, new)]).to_parquet(tmp_path / "both.parquet")
    appended = trained(tmp_path / "appended", job | {"table": str(tmp_path / "both.parquet")})
    (was, old_r2), (now, kept_r2) = (errors(run, new)[0], errors(run, old)[1]), (
        errors(moved, new)[0], errors(moved, old)[1]
    )  # fmt: skip
    assert now < 0.9 * was
    assert kept_r2 >= old_r2 - 0.01
    assert now < errors(appended, new)[0]
    said = Compared.from_dict(moved.notes["adapted"]["compared"]).text()
    assert "a row counts half as much for each 30 that it is older by 'day'" in said
    assert "80 % of each step were 180 old rows" in said
    assert "of the way from the old weights to the learned ones" in said


def test_what_would_be_forgotten_is_refused(tmp_path: Path) -> None:
    old, new = write_tide(tmp_path / "old.parquet", rows=100), tmp_path / "new.parquet"
    write_tide(new, rows=60, new=True, seed=1)
    job = job_of(old, COLUMNS, TASKS)
    run = trained(tmp_path / "run", job | {"train": job["train"] | {"epochs": 1}})
    given = {"method": "head", "window": "30", "time": "day", "minutes": 1e-3}
    with pytest.raises(ma.RunError, match=r"nothing was written. No step from the old weights"):
        adapt_run(run, open_table(new), tmp_path / "no", Asked(**given, lost=-500.0), quiet=True)
    assert not (tmp_path / "no").exists()
    world: Any = SimpleNamespace(predictor=SimpleNamespace(run=run), old=SimpleNamespace(test=[1]))
    with pytest.raises(ma.RunError, match=r"y: the 1 old test rows would be answered 1\.2 points"):
        refuse_forgetting(world, {"y": 1.2}, Asked(**given))
    refuse_forgetting(world, {"y": 1.0}, Asked(**given))
    refuse_forgetting(world, {"y": 9.0}, Asked())
