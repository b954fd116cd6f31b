"""As the world moves, a window learns the newest, keeps the old, and beats appending."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import modalloy as ma
from adapting import job_of, trained, write_tide
from modalloy.adaptation.asked import Asked, refuse_mixed
from modalloy.judge.compared import Compared
from modalloy.runs.run import Run

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
    run = trained(tmp_path / "run", job)
    given = {"method": "full", "window": "30", "time": "day", "quiet": True}
    moved = ma.adapt(run, new, out=tmp_path / "moved", **given)
    pd.concat([pd.read_parquet(p) for p in (old, new)]).to_parquet(tmp_path / "both.parquet")
    appended = trained(tmp_path / "appended", job | {"table": str(tmp_path / "both.parquet")})
    (was, old_r2), (now, kept_r2) = (errors(run, new)[0], errors(run, old)[1]), (
        errors(moved, new)[0], errors(moved, old)[1]
    )  # fmt: skip
    assert now < 0.75 * was
    assert kept_r2 >= old_r2 - 0.01
    assert now < errors(appended, new)[0]
    said = Compared.from_dict(moved.notes["adapted"]["compared"]).text()
    assert "a row counts half as much for each 30 that it is older by 'day'" in said
    assert "80 % of each step were 180 old rows" in said
    assert "of the way from the old weights to the learned ones" in said
    contrary = pd.read_parquet(new).assign(tool=0.0, y=lambda f: -5 * f["y"] - 20)
    with pytest.raises(ma.RunError, match="nothing was written"):
        ma.adapt(run, contrary, out=tmp_path / "no", **given, replay=0.0)
    assert not (tmp_path / "no").exists()


def test_old_rows_that_are_outdated_hold_nothing_back(tmp_path: Path) -> None:
    old, new = write_tide(tmp_path / "old.parquet"), tmp_path / "new.parquet"
    rows = pd.read_parquet(write_tide(new, rows=150, new=True, seed=1))
    rows.assign(tool=0.0, y=lambda f: f["y"] - 3 * f["x"]).to_parquet(new)
    run = trained(tmp_path / "run", job_of(old, COLUMNS, TASKS))
    given = {"method": "full", "window": "60", "time": "day", "quiet": True}
    with pytest.raises(ma.RunError, match="--old outdated"):
        ma.adapt(run, new, out=tmp_path / "no", **given)
    moved = ma.adapt(run, new, out=tmp_path / "moved", **given, old="outdated")
    (was, _), (now, _), (_, forgot) = errors(run, new), errors(moved, new), errors(moved, old)
    assert now < 0.5 * was
    assert forgot < 0.5
    told = moved.notes["adapted"]
    assert (told["old"], told["replay"]) == ("outdated", 0.0)
    said = Compared.from_dict(told["compared"]).text()
    assert "old rows are given up as outdated" in said
    assert "of each step were" not in said
    gone = old.rename(tmp_path / "gone.parquet")
    ma.adapt(run, new, out=tmp_path / "alone", **given, old="outdated")
    gone.rename(old)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"old": "outdated"}, "give --window too"),
        ({"old": "outdated", "window": "9", "replay": 0.5}, "not replayed"),
        ({"old": "gone", "window": "9"}, "neither kept nor outdated"),
    ],
)
def test_what_old_rows_cannot_be_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ma.RunError, match=said):
        Asked(**given)
    with pytest.raises(ma.RunError, match="for labelled rows"):
        refuse_mixed(
            Asked(window="9", old="outdated"), without_labels=True, tent=False, canary=False
        )
