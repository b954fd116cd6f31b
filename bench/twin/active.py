"""Runs of the bracket that are chosen, against as many that are spread by Sobol: how well a
surrogate of them foretells the deflection of brackets that neither has run.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import modalloy as ma
from bench.line import Line
from modalloy.designing.surrogates.gaussian_process import fit_gaussian_process
from modalloy.twin.space import Space
from modalloy.twin.twin_file import load_twin

COMMAND = "python -m bench.twin active"
RUNS, FRESH = 200, 500
ABOUT = "deflection"
GIVEN: dict[str, Any] = {"hidden": "default", "quiet": True}


def active_lines(
    seeds: Sequence[int], folder: Path, *, runs: int = RUNS, fresh: int = FRESH
) -> list[Line]:
    """R2 of the deflection by runs of either plan, and the least deflection that they found."""
    start = time.perf_counter()
    found = [of_seed(seed, folder / f"active-{seed}", runs, fresh) for seed in seeds]
    seconds = (time.perf_counter() - start) / len(seeds)
    case = f"bracket, {runs} runs chosen, {len(seeds)} seeds"

    def line(metric: str, plan: str) -> Line:
        values = [one[plan, metric] for one in found]
        value, ends = float(np.mean(values)), (min(values), max(values))
        return Line(case, f"{metric}, {plan}", value, ends, "", "", None, seconds, COMMAND)

    metrics = ("R2 of the deflection", "least deflection found, mm")
    return [line(metric, plan) for metric in metrics for plan in ("active", "sobol")]


def of_seed(seed: int, folder: Path, runs: int, fresh: int) -> dict[tuple[str, str], float]:
    """Every figure by plan and metric."""
    folder.mkdir(parents=True)
    unseen = rows_of(folder / "fresh", runs=fresh, plan="latin", seed=1000 + seed)
    active = rows_of(folder / "active", runs=runs, plan="active", about=ABOUT, seed=seed)
    sought = rows_of(folder / "sought", runs=runs, plan="active", minimise=ABOUT, seed=seed)
    sobol = rows_of(folder / "sobol", runs=runs, plan="sobol", seed=seed)
    return {
        ("active", "R2 of the deflection"): foretold(active, unseen, seed),
        ("sobol", "R2 of the deflection"): foretold(sobol, unseen, seed),
        ("active", "least deflection found, mm"): float(sought[1].min()),
        ("sobol", "least deflection found, mm"): float(sobol[1].min()),
    }


def rows_of(path: Path, **asked: Any) -> tuple[np.ndarray, np.ndarray]:
    """u_ND and the deflection in mm of runs that succeeded."""
    made = ma.simulate("bracket", out=path.with_suffix(".parquet"), **asked, **GIVEN)
    good = [row for row in made.rows if row["status"] == "ok"]
    space = Space(load_twin("bracket").variables)
    return space.encode(good), np.array([row[ABOUT] for row in good])


def foretold(
    rows: tuple[np.ndarray, np.ndarray], unseen: tuple[np.ndarray, np.ndarray], seed: int
) -> float:
    """R2 of unseen runs by a Gaussian process of some."""
    process = fit_gaussian_process(rows[0], rows[1][:, None], seed=seed)
    off_N = process.predict(unseen[0]).median_NO[:, 0] - unseen[1]
    return 1.0 - float((off_N**2).mean() / unseen[1].var())
