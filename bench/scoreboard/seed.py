"""A set and a seed in, its figures, and what they took beside what `check` said, out."""

import json
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from bench.apart import apart, peak_gb
from bench.scoreboard.goals import GOALS
from bench.shared_sets import job_files, open_job
from bench.written import mean


class Seed(NamedTuple):
    """One seed of a set: its figures by goal, and what it took beside what `check` said."""

    figures: dict[str, dict]
    rows: int  # that training passed over
    seconds: float
    peak_gb: float
    said_seconds: float
    said_gb: float


def run_apart(name: str, seed: int, data: Path, runs: Path | None) -> Seed:
    """`run_seed` in a process of its own, so that its peak of memory is its own too."""
    return apart(run_seed, name, seed, data, runs)


def run_seed(name: str, seed: int, data: Path, runs: Path | None) -> Seed:
    """One seed: every job file of the set (folds have several); their figures averaged."""
    import torch

    import modalloy as ma
    from modalloy.machine.limits import cores

    torch.set_num_threads(cores())  # as the command does
    reports, rows, seconds = [], 0, 0.0
    said_seconds, said_gb = said_before(name, data)
    for path in job_files(name):
        job = open_job(path, data).model_copy(update={"seed": seed})
        start = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="scoreboard-") as temporary:
            out = runs / f"{path.stem}-{seed}" if runs else Path(temporary) / "run"
            ma.train(job, out=out)
            report = json.loads((out / "report.json").read_text())
        seconds += time.perf_counter() - start
        reports.append(report)
        rows += rows_seen(report)
        print(name, path.stem, f"seed {seed}", json.dumps(report["tasks"])[:600], flush=True)
    figures = {}
    for goal in GOALS[name]:
        values = [goal.value(r) for r in reports]
        intervals = [goal.interval(r) for r in reports]
        figures[goal.key] = {
            "value": mean(values),
            "interval": [mean([i[k] for i in intervals]) for k in (0, 1)],
            "single": goal.best_single(reports),
        }
    return Seed(figures, rows, seconds, peak_gb(), said_seconds, said_gb)


def said_before(name: str, data: Path) -> tuple[float, float]:
    """Seconds and GB that `check` estimates for a set, without its search for leaks."""
    from modalloy.checks.estimate import estimate
    from modalloy.table.open_table import open_table
    from modalloy.table.split import split_job

    found = []
    for path in job_files(name):
        job = open_job(path, data)
        table = open_table(job.table, sheet=job.sheet)
        found.append(estimate(job, table, split_job(table, job)))
    return 60 * sum(e.minutes for e in found), max(e.memory_gb for e in found)


def rows_seen(report: dict) -> int:
    """Rows that training passed over, counting each pass."""
    looks = report["curves"]
    rows = report["rows"]["train"] * (looks[-1]["epoch"] if looks else 1)
    if "refit" in report["rows"]:
        best = max(looks, key=lambda line: line["score"])  # of equals the first
        again = report["rows"]["train"] + report["rows"]["refit"]
        rows += again * best["epoch"]
    return rows
