"""Bicycle frames computed by finite elements, given as rows: how well they are foretold, and which
of unseen frames are chosen.

The frames of the test part are a catalogue: 50 of them are chosen by what the model says alone, and
their own rows say which of them are light, stiff and can be built.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score

import modalloy as ma
from bench.line import Line
from bench.shared_sets import job_files, open_job
from modalloy.job import config
from modalloy.job.job_file import load_job

COMMAND = "python -m bench.twin bike"
CHOSEN, LEAST = 50, 1.0  # frames; their safety factors
VALID = "geometry_valid"
FACTORS = ("sim_1_safety_factor", "sim_3_safety_factor")
R2, MACRO = "mean R2 of 10 figures", "macro-F1 of what can be built"
ODD = "F1 of what cannot be built"
COUNT = "frames chosen: lightest, both safety factors surely 1 or more"
BUILT, KEPT = "of these, can be built", "of these, both factors are 1 or more"
ALL_KEPT = "of all test frames, both factors are 1 or more"


def bike_lines(seeds: Sequence[int], data: Path, folder: Path) -> list[Line]:
    """Mean R2 of ten figures, F1 of what can be built, and what became of chosen frames."""
    start = time.perf_counter()
    found = [of_seed(seed, data, folder / f"bike-{seed}") for seed in seeds]
    seconds = (time.perf_counter() - start) / len(seeds)
    case = f"bike_frames, {len(seeds)} seeds"

    def line(metric: str, anchor: str = "", goal: str = "", least: float | None = None) -> Line:
        values = [one[metric] for one in found]
        value, ends = float(np.mean(values)), (min(values), max(values))
        reached = None if least is None else value >= least
        return Line(case, metric, value, ends, anchor, goal, reached, seconds, COMMAND)

    return [
        line(R2, ".684", ">= .75", 0.75),
        line(MACRO, ".881", ">= .90", 0.90),
        *(line(metric) for metric in (ODD, COUNT, BUILT, KEPT, ALL_KEPT)),
    ]


def of_seed(seed: int, data: Path, folder: Path) -> dict[str, float]:
    """Everything for one seed, by metric."""
    job = open_job(job_files("bike_frames")[0], data)
    job = job.model_copy(update={"seed": seed})
    figures = ma.train(job, out=folder / "figures", quiet=True)
    own = ma.train(valid_job(job), out=folder / "valid", quiet=True)
    rows = pd.read_csv(job.table)
    rows = rows[rows["split"] == "test"].reset_index(drop=True)
    told = json.loads((figures.path / "report.json").read_text())["tasks"]
    said = ma.predict(own, rows[list(job.columns)])["valid"].astype(str).to_numpy()
    true = rows[VALID].astype(int).astype(str).to_numpy()
    return {
        R2: float(np.mean([task["r2"] for task in told.values()])),
        MACRO: float(f1_score(true, said, average="macro")),
        ODD: float(f1_score(true, said, pos_label="0")),
        **chosen(rows, ma.predict(figures, rows[list(job.columns)]), said == "1"),
    }


def valid_job(job: config.Job) -> config.Job:
    """The same columns, and whether a frame can be built at all."""
    given = job.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return load_job({**given, "tasks": {"valid": {"type": "classify", "target": VALID}}})


def chosen(rows: pd.DataFrame, said: pd.DataFrame, built_N: np.ndarray) -> dict[str, float]:
    """What became of the lightest frames whose safety factors are foretold to be 1 or more."""
    sure_N = built_N.copy()
    kept_N = np.ones(len(rows), bool)
    for name in FACTORS:
        sure_N &= (said[f"{name}.low"] >= LEAST).to_numpy()
        kept_N &= (rows[name] >= LEAST).to_numpy()  # False of frames that were not computed
    order = np.argsort(said["model_mass"].to_numpy(), kind="stable")
    picked = order[sure_N[order]][:CHOSEN]
    known = picked[rows["simulated"].to_numpy()[picked] == 1]
    return {
        COUNT: float(len(picked)),
        BUILT: float(rows[VALID].to_numpy()[picked].mean()),
        KEPT: float(kept_N[known].mean()),
        ALL_KEPT: float(kept_N[rows["simulated"].to_numpy() == 1].mean()),
    }
