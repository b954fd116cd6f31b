"""Real data sets in, one table of honest figures out.

    python -m bench.scoreboard [SET ...] [--seeds N] [--data FOLDER] [--runs FOLDER] [--said]

Runs the job files of bench/scoreboard/jobs with the split each set's README names, then writes
bench/results/scoreboard.json and the tables between the marks of docs/scoreboard.md and README.md;
the words around them are written by hand and stay. Without the data folder it says which public
sets are wanted and stops.
"""

import argparse
import json
import sys
from pathlib import Path

from bench.scoreboard.goals import GOALS, Goal
from bench.scoreboard.seed import Seed, run_apart, said_before
from bench.scoreboard.table import write_readme, write_table
from bench.shared_sets import default_data
from bench.written import mean, put_lines
from modalloy.machine.limits import rest_soon

ROOT = Path(__file__).parent.parent.parent
RESULTS = ROOT / "bench" / "results" / "scoreboard.json"


def main() -> None:
    """Run the sets asked for, or all, writing results after each."""
    rest_soon()  # for the processes that train
    parser = argparse.ArgumentParser(prog="python -m bench.scoreboard")
    parser.add_argument("sets", nargs="*", help="names of sets; all without")
    parser.add_argument("--seeds", type=int, help="seeds a set; 3 for sets under 3 minutes without")
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--runs", type=Path, help="keep the run directories here")
    parser.add_argument("--table", action="store_true", help="only write the tables anew")
    parser.add_argument("--said", action="store_true", help="only estimate anew, training nothing")
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
            lines = said_anew(name, args.data) if args.said else run_set(name, args)
            put_lines(lines, RESULTS, key="set", order=list(GOALS))
    results = json.loads(RESULTS.read_text())
    write_table(results, ROOT / "docs" / "scoreboard.md")
    write_readme(results, ROOT / "README.md")


def run_set(name: str, args: argparse.Namespace) -> list[dict]:
    """Train and test one set with one to three seeds; one line a goal."""
    wanted = args.seeds or 3
    seeds: list[Seed] = []
    while len(seeds) < wanted:
        seeds.append(run_apart(name, len(seeds), args.data, args.runs))
        if not args.seeds and seeds[0].seconds > 180:
            break
    return [line(name, goal, seeds) for goal in GOALS[name]]


def said_anew(name: str, data: Path) -> list[dict]:
    """The lines of a set as they stand, with what `check` estimates now."""
    seconds, gb = said_before(name, data)
    said = {"said_seconds": round(seconds, 1), "said_gb": round(gb, 2)}
    return [old | said for old in json.loads(RESULTS.read_text()) if old["set"] == name]


def line(name: str, goal: Goal, seeds: list[Seed]) -> dict:
    """One entry of scoreboard.json."""
    found = [seed.figures[goal.key] for seed in seeds]
    values = [f["value"] for f in found]
    value = mean(values)
    singles = [f["single"] for f in found if f["single"] is not None]
    single = mean(singles) if singles else None
    seconds = mean([seed.seconds for seed in seeds])
    return {
        "set": name,
        "task": goal.task,
        "metric": goal.metric,
        "value": round(value, 4),
        "values": [round(v, 4) for v in values],
        "interval": [round(mean([f["interval"][k] for f in found]), 4) for k in (0, 1)],
        "best_single": round(single, 4) if single is not None else None,
        "floor": goal.floor,
        "published": goal.published,
        "goal": goal.text,
        "beats_floor": goal.beats(value),
        "reached": goal.reached(value, single),
        "seconds": round(seconds, 1),
        "said_seconds": round(mean([seed.said_seconds for seed in seeds]), 1),
        "peak_gb": round(max(seed.peak_gb for seed in seeds), 2),
        "said_gb": round(max(seed.said_gb for seed in seeds), 2),
        "rows_per_s": round(mean([seed.rows for seed in seeds]) / seconds, 1),
        "seeds": len(seeds),
        "command": f"python -m bench.scoreboard {name} --seeds {len(seeds)}",
    }


if __name__ == "__main__":
    main()
