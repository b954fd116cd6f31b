"""A served run whose sensor drifts, with logged rows and their labels: for tests of the loop."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from adapting import job_of, trained
from modalloy.deployment.deployment import Deployment
from modalloy.deployment.row_log import RowLog

COLUMNS = {"heat": {"type": "number", "bins": 4}, "line": {"type": "category"}}
KIND = {"kind": {"type": "classify", "target": "kind"}}
DAY_S = 86_400.0
SHIFT = 20.0  # degrees that a drifted sensor shows too much
PLAN = "learn: 60\njudge: 40\n"


def rows_of(rows: int, *, seed: int, shift: float = 0.0) -> pd.DataFrame:
    """`heat`, which says the `kind` below or above 20; shifted where the sensor has drifted."""
    draw = np.random.default_rng(seed)
    kind = draw.integers(0, 2, rows)
    heat = 20.0 + np.where(kind == 1, 3.0, -3.0) + draw.normal(0, 1.0, rows) + shift
    frame = pd.DataFrame({"heat": heat.round(4), "kind": np.array(["cold", "hot"])[kind]})
    frame["line"] = np.array(["a", "b"])[draw.integers(0, 2, rows)]
    frame["machine"] = [f"m{n}" for n in draw.integers(0, 20, rows)]
    return frame


def train(folder: Path, frame: pd.DataFrame | None = None, **changes: Any) -> Path:
    """A run of 600 rows, trained in a second or two: one old test row less is below a point."""
    frame = rows_of(600, seed=0) if frame is None else frame
    frame["part"] = np.array(["train", "train", "train", "val", "test"])[np.arange(600) % 5]
    frame.to_parquet(folder / "old.parquet", index=False)
    job = job_of(folder / "old.parquet", COLUMNS, KIND, **changes)
    return trained(folder / "run", job).path


def serve(run: Path, folder: Path, *, plan: str = PLAN) -> Deployment:
    """A copy of the run with a deployment beside it."""
    shutil.copytree(run, folder / "run")
    found = Deployment.of(folder / "run")
    (found.path / "refresh.yaml").write_text(plan)
    return found


def log_rows(
    deployment: Deployment,
    frame: pd.DataFrame,
    *,
    request: str = "a",
    at: float = 0.0,
    said: Sequence[str] | None = None,
) -> list[str]:
    """Keep rows as though the model had answered them. said: the answers, by default `cold`."""
    cells = frame.drop(columns=["kind"]).to_dict("records")
    answers = pd.DataFrame({"row": range(len(frame)), "kind": said or ["cold"] * len(frame)})
    log = RowLog(deployment.path)
    given = {"version": deployment.current().number, "request": request, "source": "test"}
    names = log.add(cells, answers, at=at, **given)
    log.close()
    return names


def label_rows(
    deployment: Deployment,
    names: Sequence[str],
    labels: Sequence[str],
    *,
    source: str = "ann",
    at: float = 0.0,
) -> None:
    """Give each row its label."""
    log = RowLog(deployment.path)
    for name, label in zip(names, labels, strict=True):
        log.label(name, "kind", label, source=source, at=at)
    log.close()


def drifted(deployment: Deployment, rows: int = 150, *, seed: int = 1, at: float = DAY_S) -> None:
    """Rows of a drifted sensor, labelled by two people in turn."""
    frame = rows_of(rows, seed=seed, shift=SHIFT)
    names = log_rows(deployment, frame, request=f"drifted {seed}", at=at, said=["hot"] * rows)
    labels = frame["kind"].tolist()
    for turn, source in enumerate(("ann", "bob")):
        given = {"source": source, "at": at}
        label_rows(deployment, names[turn::2], labels[turn::2], **given)
