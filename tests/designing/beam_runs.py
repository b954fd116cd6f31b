"""Small runs trained on rows of the cantilever of beam_twin.py: for tests of runs that stand in."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from beam_twin import simulate

from conftest import make_job
from modalloy.job.job_file import load_job
from modalloy.runs.run import Run
from untrained import untrained

COLUMNS: dict[str, Any] = {
    "width": {"type": "number", "unit": "mm"},
    "height": {"type": "number", "unit": "mm"},
    "metal": {"type": "category"},
    "bolts": {"type": "number"},
    "shift": {"type": "category"},
    "note": {"type": "text", "max_tokens": 8, "vocabulary": 64},
    "machine": {"type": "group"},
}
TASKS: dict[str, Any] = {
    "mass": {"type": "regress", "target": "mass", "unit": "kg"},
    "deflection": {"type": "regress", "target": "deflection", "unit": "mm", "scale": "log"},
    "kind": {"type": "classify", "target": "metal_kind"},
}


def beam_rows(rows: int = 160, *, seed: int = 0) -> pd.DataFrame:
    """Bars that are no slimmer than can be built, each with a note, of 8 machines."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "width": draw.uniform(14.0, 50.0, rows),
            "height": draw.uniform(20.0, 100.0, rows),
            "metal": draw.choice(["steel", "aluminium"], rows),
            "bolts": draw.integers(2, 7, rows),
            "shift": "early",
            "machine": [f"m{i % 8}" for i in range(rows)],
        }
    )
    told = [simulate(row, seed=0, folder=Path()) for row in frame.to_dict("records")]
    frame[["mass", "deflection"]] = [[t["mass"], t["deflection"]] for t in told]
    frame["note"] = [f"a bar of {metal}" for metal in frame["metal"]]
    frame["metal_kind"] = frame["metal"]
    return frame


def beam_run(
    folder: Path, frame: pd.DataFrame, *, steps: int = 60, refit: bool = False, **changes: Any
) -> Run:
    """A run of some steps over these rows. refit: it says that validation rows taught it. changes:
    of the job."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "rows.parquet"
    frame.to_parquet(table)
    job = make_job(table, columns=()) | {"columns": COLUMNS, "tasks": TASKS, **changes}
    return untrained(folder / "run", table, job=load_job(job), steps=steps, refit=refit)
