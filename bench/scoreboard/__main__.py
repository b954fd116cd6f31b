"""Real data sets in, one table of honest figures out.

    python -m bench.scoreboard [SET ...] [--seeds N] [--data FOLDER] [--runs FOLDER]

Runs the job files of bench/scoreboard/jobs with the split each set's README names, then writes
bench/results/scoreboard.json and the tables between the marks of docs/scoreboard.md and README.md;
the words around them are written by hand and stay. Without the data folder it says which public
sets are wanted and stops.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from bench.scoreboard.goals import GOALS, Goal
from bench.scoreboard.table import write_readme, write_table
from modalloy.limits import rest_soon

rest_soon()
HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RESULTS = ROOT / "bench" / "results" / "scoreboard.json"


def main() -> None:
    """Run the sets asked for, or all, writing results after each."""
    parser = argparse.ArgumentParser(prog="python -m bench.scoreboard")
    parser.add_argument("sets", nargs="*", help="names of sets; all without")
    parser.add_argument("--seeds", type=int, help="seeds a set; 3 for sets under 3 minutes without")
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--runs", type=Path, help="keep the run directories here")
    parser.add_argument("--table", action="store_true", help="only write the tables anew")
    args = parser.parse_args()
    if not args.table:
        if not args.data.is_dir():
            sys.exit(
                f"No data folder at {args.data}. The scoreboard wants these public sets: "
                + ", ".join(sorted(GOALS))
                + ". Give their folder with --data."
            )
        wanted = args.sets or list(GOALS)
        for unknown in set(wanted) - set(GOALS):
            sys.exit(f"No set named {unknown}; there are {', '.join(GOALS)}.")
        for name in wanted:
            lines = run_set(name, args)
            write_results(name, lines)
    results = json.loads(RESULTS.read_text())
    write_table(results, ROOT / "docs" / "scoreboard.md")
    write_readme(results, ROOT / "README.md")


def default_data() -> Path:
    """The folder in MODALLOY_SHARED, or shared/data beside the repository."""
    return Path(os.environ.get("MODALLOY_SHARED", ROOT.parent / "shared" / "data"))


def run_set(name: str, args: argparse.Namespace) -> list[dict]:
    """Train and test one set with one to three seeds; one line a goal."""
    figures: list[dict[str, dict]] = []
    seconds: list[float] = []
    wanted = args.seeds or 3
    rows = 0
    while len(figures) < wanted:
        start = time.perf_counter()
        found, rows = run_seed(name, len(figures), args)
        figures.append(found)
        seconds.append(time.perf_counter() - start)
        if not args.seeds and seconds[0] > 180:
            break
    return [line(name, goal, figures, seconds, rows) for goal in GOALS[name]]


def run_seed(name: str, seed: int, args: argparse.Namespace) -> tuple[dict[str, dict], int]:
    """One seed: every job file of the set (folds have several); their figures averaged."""
    import modalloy as ma
    from modalloy.job import load_job

    reports, rows = [], 0
    for path in job_files(name):
        job = load_job(path)
        table = args.data / Path(job.table).relative_to(path.parent)
        job = job.model_copy(update={"table": str(table), "seed": seed})
        with tempfile.TemporaryDirectory(prefix="scoreboard-") as temporary:
            out = (args.runs / f"{path.stem}-{seed}") if args.runs else Path(temporary) / "run"
            ma.train(job, out=out)
            report = json.loads((out / "report.json").read_text())
        reports.append(report)
        rows += rows_seen(report)
        print(name, path.stem, f"seed {seed}", json.dumps(report["tasks"])[:600], flush=True)
    found = {}
    for goal in GOALS[name]:
        values = [goal.value(r) for r in reports]
        intervals = [goal.interval(r) for r in reports]
        found[goal.key] = {
            "value": sum(values) / len(values),
            "interval": [sum(i[k] for i in intervals) / len(intervals) for k in (0, 1)],
            "single": goal.best_single(reports),
        }
    return found, rows


def rows_seen(report: dict) -> int:
    """Rows that training passed over, counting each pass."""
    epochs = max(1, len(report["curves"]))
    rows = report["rows"]["train"] * epochs
    if "refit" in report["rows"]:
        scores = [line["score"] for line in report["curves"]]
        again = report["rows"]["train"] + report["rows"]["refit"]
        rows += again * (1 + scores.index(max(scores)))
    return rows


def line(name: str, goal: Goal, figures: list[dict], seconds: list[float], rows: int) -> dict:
    """One entry of scoreboard.json."""
    values = [f[goal.key]["value"] for f in figures]
    value = sum(values) / len(values)
    singles = [f[goal.key]["single"] for f in figures if f[goal.key]["single"] is not None]
    single = sum(singles) / len(singles) if singles else None
    ends = zip(*(f[goal.key]["interval"] for f in figures), strict=True)
    return {
        "set": name,
        "task": goal.task,
        "metric": goal.metric,
        "value": round(value, 4),
        "values": [round(v, 4) for v in values],
        "interval": [round(sum(e) / len(figures), 4) for e in ends],
        "best_single": round(single, 4) if single is not None else None,
        "floor": goal.floor,
        "published": goal.published,
        "goal": goal.text,
        "beats_floor": goal.beats(value),
        "reached": goal.reached(value, single),
        "seconds": round(sum(seconds) / len(seconds), 1),
        "rows_per_s": round(rows / (sum(seconds) / len(seconds)), 1),
        "seeds": len(figures),
        "command": f"python -m bench.scoreboard {name} --seeds {len(figures)}",
    }


def write_results(name: str, lines: list[dict]) -> None:
    """Replace one set's lines in scoreboard.json, in the order of the goals."""
    old = json.loads(RESULTS.read_text()) if RESULTS.is_file() else []
    new = [x for x in old if x["set"] != name] + lines
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    order = {s: i for i, s in enumerate(GOALS)}
    RESULTS.write_text(json.dumps(sorted(new, key=lambda x: order[x["set"]]), indent=1) + "\n")


def job_files(name: str) -> list[Path]:
    """The job file of a set, or one for each of its folds."""
    single = HERE / "jobs" / f"{name}.yaml"
    return [single] if single.is_file() else sorted((HERE / "jobs").glob(f"{name}_fold*.yaml"))


if __name__ == "__main__":
    main()
