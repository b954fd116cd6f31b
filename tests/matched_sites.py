"""A supplier and a customer who know the same parts: small tables."""

from typing import Any

import numpy as np
import pandas as pd

from modalloy.job import config
from modalloy.job.job_file import load_job

KEY = "a key that both sites have"
JOB: dict[str, Any] = {
    "table": "of-each-site.csv",
    "split": {"random": "stratified", "test": 0.25, "validation": 0.25},
    "columns": {
        "load": {"type": "number", "unit": "kN"},
        "line": {"type": "category"},
        "wave": {"type": "series", "length": 16, "front": ["statistics"]},
        "heat": {"type": "number"},
    },
    "tasks": {"fault": {"type": "classify", "target": "fault"}},
    "fuse": {"type": "concat", "width": 16},
    "train": {"epochs": 6, "batch": 32, "lr": 1e-2},
    "blend": {"use": "never"},
    "federate": {"compare": False, "matched": {"by": "part", "fewest": 20}},
}
OWN = {"supplier": ["part", "load", "line", "wave"], "customer": ["part", "heat", "fault"]}


def parts_of(rows: int, seed: int) -> pd.DataFrame:
    """Parts that fail where load and heat are high together; each alone says half of it."""
    draw = np.random.default_rng(seed)
    load, heat = draw.normal(0, 1, rows), draw.normal(0, 1, rows)
    bad = load + heat + draw.normal(0, 0.1, rows) > 0
    wave = draw.normal(0, 1, (rows, 16)) * (1 + 0.2 * bad)[:, None]
    return pd.DataFrame(
        {
            "part": [f"part-{seed}-{i:05d}" for i in range(rows)],
            "load": load,
            "line": np.array(["a", "b", "c"])[draw.integers(0, 3, rows)],
            "wave": [*wave],
            "heat": 50.0 + 4.0 * heat,
            "fault": np.where(bad, "rejected", "passed"),
        }
    )


def tables_of(frame: pd.DataFrame, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Each site's own columns, its rows in an order of its own."""
    return {
        site: frame[columns].sample(frac=1.0, random_state=seed + k).reset_index(drop=True)
        for k, (site, columns) in enumerate(OWN.items())
    }


def job_of(**matched: Any) -> config.Job:
    """The job with other options of `federate.matched`."""
    own = {**JOB["federate"]["matched"], **matched}
    return load_job({**JOB, "federate": {**JOB["federate"], "matched": own}})
