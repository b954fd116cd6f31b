"""Small plants that share a task and no row."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from modalloy.federation.plant import Plant
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.table.open_table import open_table

JOB: dict[str, Any] = {
    "table": "of-each-site.csv",
    "split": {"random": "stratified", "test": 0.25, "validation": 0.25},
    "columns": {
        "load": {"type": "number", "unit": "kN"},
        "heat": {"type": "number"},
        "line": {"type": "category"},
    },
    "tasks": {"fault": {"type": "classify", "target": "fault"}},
    "fuse": {"type": "concat", "width": 16},
    "train": {"epochs": 8, "batch": 32, "lr": 1e-2, "folds": 0, "refit": False},
    "federate": {"rounds": 4, "epochs": 1.0, "compare": False},
}


def rows_of(rows: int, seed: int, *, share: float = 0.5, scale: float = 1.0) -> pd.DataFrame:
    """Parts whose load and heat together say whether they are faulty. share: of faulty ones."""
    draw = np.random.default_rng(seed)
    bad = draw.random(rows) < share
    load = 10.0 + 2.0 * bad + draw.normal(0, 1.0, rows)
    heat = 50.0 + 4.0 * bad + draw.normal(0, 2.0, rows)
    return pd.DataFrame(
        {
            "load": load * scale,
            "heat": heat,
            "line": np.array(["a", "b", "c"])[draw.integers(0, 3, rows)],
            "fault": np.where(bad, "bad", "good"),
        }
    )


def job_of(
    *, sgd: bool = False, pictures: bool = False, waves: bool = False, **federate: Any
) -> config.Job:
    """The job with other options of `federate`. sgd: by plain gradients. pictures: as `pictures_of`
    gives them. waves: with a series of 40 samples."""
    train = {**JOB["train"], "optimizer": "sgd", "lr": 0.02} if sgd else JOB["train"]
    columns = dict(JOB["columns"])
    if pictures:
        columns |= {c: {"type": "image", "pixels": 32} for c in ("photo", "side")}
    if waves:
        columns["waves"] = {"type": "series", "front": ["minirocket"], "length": 40}
    given = {"train": train, "columns": columns, "allow_outside": pictures}
    return load_job({**JOB, **given, "federate": {**JOB["federate"], **federate}})


def plants_of(
    folder: Path, frames: Mapping[str, pd.DataFrame], job: config.Job
) -> dict[str, Plant]:
    """A plant for each frame."""
    return {
        name: Plant(name, job, open_table(frame), folder / name / "memory", folder / name / "run")
        for name, frame in frames.items()
    }


def pictures_of(folder: Path, rows: int, seed: int) -> pd.DataFrame:
    """The same with two small pictures a part, of which `photo` says whether it is faulty."""
    folder.mkdir(parents=True, exist_ok=True)
    frame, draw = rows_of(rows, seed), np.random.default_rng(seed)
    for column in ("photo", "side"):
        paths = []
        for at, fault in enumerate(frame["fault"]):
            level = 150 if column == "photo" and fault == "bad" else 90
            path = folder / f"{column}{at}.png"
            pixels = draw.normal(level, 20, (16, 16)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(path)
            paths.append(str(path))
        frame[column] = paths
    return frame
