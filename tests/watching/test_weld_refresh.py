"""A served model of a weld's settings, after the lens became dirty: what it learns from parts that
were measured answers from then on, what it learns from wrong measures does not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adapting import job_of, trained
from loops import DAY_S, serve
from modalloy.answer.predictor import Predictor
from modalloy.deployment.deployment import Deployment
from modalloy.deployment.row_log import RowLog
from modalloy.twin.weld.plant import stream
from modalloy.twin.weld.simulator import beam_of, weld
from modalloy.watching.cycle import refresh

SET = ("power", "speed", "preheat", "spot")
DEPTH = {"depth": {"type": "regress", "target": "depth", "unit": "mm"}}
PLAN = "learn: 90\njudge: 60\nold: {}\n"


def parts(rows: int, *, seed: int, level: float) -> pd.DataFrame:
    """Stainless parts at an absorptivity: what is set, and how deep they are in mm."""
    held = {"grade": "stainless"}
    given = {"onset": 0, "first": level, "last": level, "settings": held}
    made = stream(rows, seed=seed, **given)
    frame = pd.DataFrame([{name: part.values[name] for name in SET} for part in made])
    frame["depth"] = [weld(beam_of(part.values), seed=0).depth_mm for part in made]
    return frame


def measure(deployment: Deployment, frame: pd.DataFrame, sources: tuple[str, ...]) -> None:
    """Log parts as the model answers them, each with the depth that a source found, in turn."""
    cells = frame.drop(columns="depth")
    log, at = RowLog(deployment.path), DAY_S
    answers = Predictor(deployment.current().path).frame(cells)
    given = {"version": 1, "request": "+".join(sources), "source": "line"}
    names = log.add(cells.to_dict("records"), answers, at=at, **given)
    for i, (name, depth) in enumerate(zip(names, frame["depth"].tolist(), strict=True)):
        log.label(name, "depth", depth, source=sources[i % len(sources)], at=at)
    log.close()


def rmse(path: Path, frame: pd.DataFrame) -> float:
    said = Predictor(path).frame(frame.drop(columns="depth"))["depth"]
    return float(np.sqrt(np.mean((said - frame["depth"]) ** 2)))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of settings alone, trained once for all tests here."""
    folder = tmp_path_factory.mktemp("weld")
    frame = parts(600, seed=0, level=0.60)
    frame["part"] = np.array(["train", "train", "train", "val", "test"])[np.arange(600) % 5]
    frame.to_parquet(folder / "old.parquet", index=False)
    columns = {name: {"type": "number", "bins": 8} for name in SET}
    return trained(folder / "run", job_of(folder / "old.parquet", columns, DEPTH)).path


def test_a_refresh_is_taken_where_old_rows_are_outdated_and_refused_where_they_are_kept(
    run: Path, tmp_path: Path
) -> None:
    dirty, fresh = parts(240, seed=1, level=0.40), parts(150, seed=2, level=0.40)
    last, errors = {}, {}
    for old in ("kept", "outdated"):
        (tmp_path / old).mkdir()
        served = serve(run, tmp_path / old, plan=PLAN.format(old))
        measure(served, dirty, ("ann", "bob"))
        last[old] = refresh(served, "drift")
        errors[old] = rmse(served.current().path, fresh)
    assert last["outdated"].state == "swapped", last["outdated"].facts
    assert last["kept"].state == "rejected"
    assert "nothing was learned" in last["kept"].facts["why"]
    assert errors["outdated"] < 0.6 * errors["kept"]


def test_a_refresh_by_wrong_measures_is_not_taken(run: Path, tmp_path: Path) -> None:
    served = serve(run, tmp_path, plan=PLAN.format("outdated"))
    dirty = parts(240, seed=3, level=0.40)
    measure(served, dirty.assign(depth=dirty["depth"] + 1.0), ("mallory",))  # a gauge off its zero
    assert refresh(served, "drift").state == "waiting for labels"
    measure(served, parts(60, seed=4, level=0.40), ("ann",))
    found = refresh(served, "drift")
    assert found.state == "rejected", found.facts
    assert served.current().number == 1
