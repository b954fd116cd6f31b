"""Ways to weigh three tasks that share one network, against three networks with one task each.

    python -m bench.weightings [--seeds 3] [--epochs 30] [--rows N] [--data FOLDER]

bike_frames, parameters and material alone: mass and safety factor of a frame (R2), and whether its
geometry is valid at all (AUROC; nine of ten are). The same network, passes and rows for all ways;
validation rows choose the passes. Means over seeds, on test rows. Writes
bench/results/weightings.json and the table of docs/multi-task.md.
"""

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

from bench.line import Line, publish
from bench.shared_sets import cheap_job, default_data
from modalloy.machine.limits import rest_soon

WAYS = ("sum", "uncertainty", "famo", "pcgrad")
TASKS: dict[str, dict[str, Any]] = {
    "mass": {"type": "regress", "target": "model_mass"},
    "safety": {"type": "regress", "target": "sim_1_safety_factor"},
    "valid": {"type": "classify", "target": "geometry_valid"},
}
FIGURES = {"mass": "r2", "safety": "r2", "valid": "auroc"}


def main() -> None:
    """Train every way with every seed."""
    parser = argparse.ArgumentParser(prog="python -m bench.weightings")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--no-publish", action="store_true")
    args = parser.parse_args()
    if not (args.data / "bike_frames").is_dir():
        sys.exit(f"No bike_frames at {args.data}; give its folder with --data.")
    rest_soon()
    plain = cheap_job("bike_frames", args.data)
    plain |= {"fuse": {"type": "concat"}, "tasks": TASKS}
    plain["train"] = {"epochs": args.epochs, "batch": 64, "patience": args.epochs, "folds": 0}
    command = f"python -m bench.weightings --seeds {args.seeds} --epochs {args.epochs}"
    lines = measure(plain, args.seeds, args.rows, command)
    for line in lines:
        print(line)
    if not args.no_publish:
        publish("weightings", lines, "multi-task.md")


def measure(plain: dict[str, Any], seeds: int, rows: int | None, command: str) -> list[Line]:
    """A line a way and task, and one of each way's mean over tasks."""
    single = [alone(plain, seed, rows) for seed in range(seeds)]
    told = {"single tasks": single}
    for way in WAYS:
        job = {**plain, "train": plain["train"] | {"weighting": way}}
        told[way] = [trained(job, seed, rows) for seed in range(seeds)]
    lines = []
    for way, runs in told.items():
        seconds = statistics.mean(s for _, s in runs)
        for task, figure in (*FIGURES.items(), ("all", "mean of the three")):
            values = [of_task(figures, task) for figures, _ in runs]
            before = statistics.mean(of_task(figures, task) for figures, _ in single)
            ends = (min(values), max(values))
            anchor = "" if way == "single tasks" else f"{before:.3f} by single tasks"
            value = statistics.mean(values)
            lines.append(
                Line(f"{way}, {task}", figure, value, ends, anchor, "", None, seconds, command)
            )
    return lines


def of_task(figures: dict[str, float], task: str) -> float:
    """A task's figure, or the mean of all."""
    return statistics.mean(figures.values()) if task == "all" else figures[task]


def trained(job: dict[str, Any], seed: int, rows: int | None) -> tuple[dict[str, float], float]:
    """The figure of each task, and seconds."""
    from bench.training import train_job

    found = train_job(job | {"seed": seed}, rows=rows)
    return {t: f[FIGURES[t]] for t, f in found.figures.items()}, found.seconds


def alone(plain: dict[str, Any], seed: int, rows: int | None) -> tuple[dict[str, float], float]:
    """Each task by a network of its own; their seconds together."""
    figures, seconds = {}, 0.0
    for task, options in plain["tasks"].items():
        found, took = trained(plain | {"tasks": {task: options}}, seed, rows)
        figures, seconds = figures | found, seconds + took
    return figures, seconds


if __name__ == "__main__":
    main()
