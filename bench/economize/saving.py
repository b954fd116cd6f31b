"""What `economize` saves on real sets at a certified loss, every arm beside the others; and a
bandit over ways to fuse beside random search.

    python -m bench.economize [SET ...] [--alpha 0.02] [--rows N] [--runs 12] [--data FOLDER]

Each set is trained by the scoreboard's job with a calibration part and without learning from
validation rows, which policies are learned from. All figures are of test rows, which chose nothing.
Lines are written after every stage; one that is written is not done again without --again.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import modalloy as ma
from bench.economize.fusing import compare_ways
from bench.line import ROOT, Line, publish, read
from bench.shared_sets import default_data, job_files, open_job
from modalloy.job import config
from modalloy.machine.limits import cores
from modalloy.table.open_table import open_table
from modalloy.table.table import Table

SETS = ("av_digits", "shipments")
PAGE = "verbs/economize.md"
NAME = "economize"
SPLITS: dict[str, dict[str, Any]] = {  # the sets' own, with rows kept for the certificate
    "av_digits": {"column": "split", "calibration": 0.2},
    "shipments": {"column": "split", "calibration": 0.2},
    "easy_vqa": {"column": "split", "calibration": 0.1},
    "ikea_products": {"column": "split", "calibration": 0.25},
}
LATENCY, COLUMNS = 0.5, 0.6  # of buying every column: one of the two is asked for


def main() -> None:
    """Both parts for every set asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.economize")
    parser.add_argument("sets", nargs="*", default=list(SETS))
    parser.add_argument("--alpha", type=float, default=0.02)
    parser.add_argument("--rows", type=int, help="of each part at most, for a quick look")
    parser.add_argument("--runs", type=int, default=12, help="short trainings of each search")
    parser.add_argument("--seeds", type=int, default=2, help="of the searches")
    parser.add_argument("--again", action="store_true", help="do what is written already, too")
    parser.add_argument("--data", type=Path, default=default_data())
    args = parser.parse_args()
    if not args.data.is_dir():
        sys.exit(f"No data folder at {args.data}; give it with --data.")
    torch.set_num_threads(cores())
    folder = Path(tempfile.mkdtemp(prefix="economize-"))
    for name in args.sets:
        job, table = open_set(name, args.data, args.rows, folder)
        command = f"python -m bench.economize {name}"
        stages = {name: lambda j=job, t=table, n=name: saved_on(n, j, t, args.alpha)}
        fuse = f"{name}, ways to fuse"
        stages[fuse] = lambda j=job, t=table, f=fuse: compare_ways(f, j, t, args.runs, args.seeds)
        for case, stage in stages.items():
            if args.again or case not in written():
                lines = [line._replace(command=command) for line in stage()]
                publish(NAME, lines, PAGE)
                for line in lines:
                    print(line, flush=True)


def written() -> set[str]:
    """Cases whose lines are there already."""
    return {line["case"] for line in read(ROOT / "bench" / "results" / f"{NAME}.json")}


def open_set(name: str, data: Path, rows: int | None, folder: Path) -> tuple[config.Job, Table]:
    """The scoreboard's job of a set and its table; rows: of each value of its split at most, in a
    table of their own in the folder."""
    job = open_job(job_files(name)[0], data)
    given = SPLITS.get(name, {**job.split.model_dump(), "calibration": 0.2})
    train = job.train.model_copy(update={"refit": False})
    job = job.model_copy(update={"split": config.Split(**given), "train": train})
    table = open_table(job.table)
    if rows is None:
        return job, table
    frame = pd.DataFrame({c: table.cells(c) for c in table.columns})
    codes = pd.factorize(frame[job.split.column])[0] if job.split.column else np.zeros(len(frame))
    parts = [np.flatnonzero(codes == code) for code in np.unique(codes)]
    some = [p[np.linspace(0, len(p) - 1, min(rows, len(p))).astype(int)] for p in parts]
    frame = frame.iloc[np.sort(np.concatenate(some))]
    for column, options in job.columns.items():
        if options.type in ("image", "audio"):
            near = Path(job.table).parent
            frame[column] = [None if c is None else str(near / c) for c in frame[column]]
    path = folder / f"{name}.parquet"
    frame.to_parquet(path, index=False)
    job = job.model_copy(update={"table": str(path), "allow_outside": True})
    return job, open_table(path)


def saved_on(name: str, job: config.Job, table: Table, alpha: float) -> list[Line]:
    """Train, economize, and what test rows say of it."""
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = ma.train(job, table=table, out=Path(folder) / "run", quiet=True)
        new = ma.economize(run, out=Path(folder) / "new", alpha=alpha, quiet=True)
        note = new.notes["economized"]
    seconds = time.perf_counter() - begun
    costs = {key.split(" (")[0]: pair for key, pair in note["costs"].items()}
    latency = ratio(costs["Milliseconds a row, measured"])
    columns = ratio(costs["Columns bought a row"])
    enough = latency <= LATENCY or columns <= COLUMNS
    worse, kept = note["point"]["worse"], note["certificate"]
    told = f"{kept['worse']} of {kept['rows']} on its rows, {kept['allowed']} allowed"
    goal = f"<= {LATENCY:g}, or columns <= {COLUMNS:g}"
    lines = [
        Line(name, "latency, share of every column's", latency, None, "DynMM: .535", goal, enough),
        Line(name, "columns bought, share", columns, None, note["arm"], goal, enough),
        Line(name, "worse decisions, share", worse, None, told, f"<= {alpha:g}", worse <= alpha),
    ]
    for task, figures in note["tasks"].items():
        for metric, (before, after, _) in figures.items():
            said = f"{before:.4f} with every column"
            lines.append(Line(name, f"{task}: {metric}", after, None, said))
    for arm in note["arms"]:
        at = arm["certified"]
        said = f"{100 * arm['worse'][at]:.2f} % worse, {arm['bought']:.2f} columns a row"
        lines.append(Line(name, f"{arm['arm']}: cost, share", arm["cost"][at], None, said))
    return [line._replace(seconds=seconds) for line in lines]


def ratio(pair: Any) -> float:
    """After as a share of before."""
    return pair[1] / pair[0] if pair[0] else 1.0
