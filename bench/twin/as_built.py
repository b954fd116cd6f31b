"""Brackets as built: walls that nobody sees differ from what was ordered, and a tap tells.

The same rows and the same test rows, learned by what `init` prints: from the ordered dimensions
alone, and with the recording of a tap beside them.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import modalloy as ma
from bench.line import Line
from modalloy.job.job_file import load_job

COMMAND = "python -m bench.twin as_built"
RUNS = 1500
MOST = 0.5  # of the error
TARGET = "deflection"
OTHERS = ("drawing", "specification")  # say nothing that the numbers do not


def as_built_lines(seeds: Sequence[int], folder: Path) -> list[Line]:
    """Errors of the deflection with the sound and without, in mm."""
    start = time.perf_counter()
    found = [of_seed(seed, folder / f"built-{seed}") for seed in seeds]
    seconds = (time.perf_counter() - start) / len(seeds)
    alone, both = ([one[k] for one in found] for k in (0, 1))
    shares = [b / a for a, b in found]
    case = f"as-built bracket, {RUNS:,} rows, {len(seeds)} seeds"

    def line(metric: str, values: Sequence[float], goal: str = "") -> Line:
        value, ends = float(np.mean(values)), (min(values), max(values))
        reached = value <= MOST if goal else None
        return Line(case, metric, value, ends, "numbers alone", goal, reached, seconds, COMMAND)

    return [
        line("RMSE of deflection by numbers, mm", alone),
        line("RMSE with the sound, mm", both),
        line("share of the error that is left", shares, f"<= {MOST:g}"),
    ]


def of_seed(seed: int, folder: Path) -> tuple[float, float]:
    """RMSE on the same test rows by the numbers, and with the tap's sound."""
    folder.mkdir(parents=True)
    table, steel = folder / "rows.parquet", {"material": "steel"}
    ma.simulate("bracket", out=table, runs=RUNS, plan="latin", seed=seed, fixed=steel, quiet=True)
    errors = []
    for name, without in (("numbers", ("tap", *OTHERS)), ("both", OTHERS)):
        job = load_job(ma.init(table, target=TARGET))
        columns = {n: o for n, o in job.columns.items() if n not in without}
        job = job.model_copy(update={"columns": columns, "seed": seed})
        run = ma.train(job, out=folder / name, quiet=True)
        told = json.loads((run.path / "report.json").read_text())["tasks"]
        errors.append(float(next(iter(told.values()))["rmse"]))
    return errors[0], errors[1]
