"""Runs that were trained in a second and have no report, and tables that drift: for tests of
`adapt`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from modalloy.job.job_file import load_job
from modalloy.judge.sections import Sections
from modalloy.learn.train_run import blend_and_save
from modalloy.learn.training import learn_job
from modalloy.runs.rows import save_prints
from modalloy.runs.run import Run
from modalloy.table.fingerprints import fingerprints
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts, split_job

NOTES = {
    "interrupted": False, "refit": False, "curves": [], "findings": [], "cells": {}, "seconds": {},
}  # fmt: skip


def trained(path: Path, given: dict[str, Any]) -> Run:
    """A run of a job, with all its parts but the report."""
    job = load_job(given)
    table = open_table(job.table)
    parts = split_job(table, job)
    path.mkdir()
    learned = learn_job(job, table, parts, out=path, quiet=True)
    save_prints(path, Parts(*(fingerprints(table, job, part) for part in parts)))
    run, _ = blend_and_save(learned, path, {**NOTES, "seconds": {}}, Sections(()))
    return run


def job_of(table: Path, columns: dict[str, Any], tasks: dict[str, Any], **changes: Any) -> Any:
    """A job over a generated table whose network learns in a second."""
    job = {
        "table": str(table),
        "split": {"column": "part"},
        "columns": columns,
        "fuse": {"type": "concat", "width": 24, "layers": 1},
        "tasks": tasks,
        "train": {"epochs": 15, "batch": 32, "lr": 5e-3, "precision": "float32", "folds": 0},
        "blend": {"use": "never"},
        "calibrate": {"use": "never"},
        "unlike": {"use": "never"},
    }
    return job | changes


WAVES = {"waves": {"type": "series", "from": ["up", "side"], "front": ["statistics"], "length": 24}}
KIND = {"kind": {"type": "classify", "target": "kind"}}


def write_waves(path: Path, *, rows: int = 240, seed: int = 0) -> Path:
    """`up` and `side`, lists of 24 samples of which the other is a noisy double; `kind`, three of
    them, by how high and how steep they are; `heat`, a number that is high for one kind.
    """
    draw = np.random.default_rng(seed)
    kind = draw.integers(0, 3, rows)
    steps = np.linspace(-1, 1, 24)
    level, slope = np.array([0.0, 1.5, 0.0])[kind], np.array([0.0, 0.0, 1.5])[kind]
    up = level[:, None] + slope[:, None] * steps + draw.normal(0, 0.4, (rows, 24))
    side = 2.0 * up + draw.normal(0, 0.1, up.shape)
    frame = pd.DataFrame({"up": [*up.round(4)], "side": [*side.round(4)]})
    frame["heat"] = (20.0 + 4.0 * (kind == 1) + draw.normal(0, 1.0, rows)).round(4)
    frame["kind"] = np.array(["flat", "high", "steep"])[kind]
    frame["part"] = np.array(["train", "train", "train", "val", "test"])[np.arange(rows) % 5]
    frame.to_parquet(path, index=False)
    return path


def write_tide(path: Path, *, rows: int = 300, new: bool = False, seed: int = 0) -> Path:
    """`x`, `tool`, `day` and the answer `y`: sin 2x; of new rows, which another tool made and which
    `tool` shows, plus what grows from 0 to 2 day by day. The newest of these test, the ones before
    validate.
    """
    draw = np.random.default_rng(seed)
    day = np.sort(draw.uniform(0, 100, rows)) + (200 if new else 0)
    x, tool = draw.uniform(-2, 2, rows), draw.normal(0, 1, rows) + (5 if new else 0)
    grown = (day - 200) / 50 if new else np.zeros(rows)
    y = np.sin(2 * x) + grown + draw.normal(0, 0.05, rows)
    frame = pd.DataFrame({"x": x, "tool": tool, "day": day, "y": y})
    parts = np.array(["train", "train", "train", "val", "test"])[np.arange(rows) % 5]
    if new:
        parts = np.repeat(["train", "val", "test"], [rows - 2 * (rows // 5)] + 2 * [rows // 5])
    frame["part"] = parts
    frame.to_parquet(path, index=False)
    return path
