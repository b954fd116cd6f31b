"""Robust accuracy before and after `harden`, what it costs clean rows and seconds, and one column
attacked or noise beside a training without it.

    python -m bench.robustness [SET ...] [--effort quick|full] [--rows 120] [--data FOLDER]

Writes bench/results/robustness.json and the table of docs/verbs/harden.md after every set; sets
that are there already are left out unless they are named.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

from bench.line import ROOT, Line, publish, read
from bench.robustness.jobs import JOBS
from bench.robustness.measure import Measured, measure
from bench.shared_sets import default_data
from modalloy.judge.compared import Pair
from modalloy.machine.limits import cores, rest_soon

PAGE = "verbs/harden.md"


def main() -> None:
    """Every set asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m bench.robustness")
    parser.add_argument("sets", nargs="*", help=", ".join(JOBS))
    parser.add_argument("--effort", choices=("quick", "full"), default="quick")
    parser.add_argument("--rows", type=int, default=120, help="test rows that are attacked")
    parser.add_argument("--data", type=Path, default=default_data())
    args = parser.parse_args()
    if not args.data.is_dir():
        sys.exit(f"No data folder at {args.data}; give it with --data.")
    if unknown := sorted(set(args.sets) - set(JOBS)):
        sys.exit(f"There is no set {unknown[0]}; there are {', '.join(JOBS)}.")
    import torch

    torch.set_num_threads(cores())
    done = {line["case"] for line in read(ROOT / "bench" / "results" / "robustness.json")}
    for name in args.sets or [n for n in JOBS if n not in done]:
        found = measure(name, args.data, effort=args.effort, rows=args.rows)
        command = f"python -m bench.robustness {name} --effort {args.effort} --rows {args.rows}"
        publish("robustness", lines_of(name, found, command), PAGE)
        print(found.found.text(), flush=True)
        print(found.columns, found.told["share"], f"{found.seconds:.0f} s", flush=True)


def lines_of(name: str, found: Measured, command: str) -> list[Line]:
    """What the goals of a set came to."""
    (task,) = found.told["after"]["tasks"]
    pairs = found.found.tasks
    worst = known(pairs[f"{task}, worst of all attacks"]["accuracy"])
    clean = known(pairs[f"{task}, clean"]["accuracy"])
    seconds = known(next(iter(found.found.costs.values())))
    lost, times = 100 * (clean.before - clean.after), seconds.after / seconds.before
    change = pairs[f"{task}, worst of all attacks"]["accuracy"].interval
    ends = None if change is None else (worst.before + change[0], worst.before + change[1])
    column, (own, without) = min(found.columns.items(), key=lambda c: c[1][0] - c[1][1])
    surely = ends is None or ends[0] > worst.before  # twice nothing is no goal
    lines = [
        Line(
            name, "accuracy under the whole suite", worst.after, ends, f"{worst.before:.3f} before",
            f">= {2 * worst.before:.3f}, surely more", surely and worst.after >= 2 * worst.before,
        ),
        Line(
            name, "points of clean accuracy lost", lost, None, f"{clean.before:.3f} before",
            "<= 2", lost <= 2.0,
        ),
        Line(
            name, "times as long as the training", times, None, f"{seconds.before:.0f} s",
            "<= 3", times <= 3.0,
        ),
        Line(
            name, "accuracy with any one column attacked or noise", own, None,
            f"{without:.3f} trained without {column}", f">= {without - 0.03:.3f}",
            own >= without - 0.03,
        ),
        Line(
            name, "may be called robust", float(found.told["after"]["tasks"][task]["robust"]),
            None, "checks of the attacks", "1",
            bool(found.told["after"]["tasks"][task]["robust"]),
        ),
    ]  # fmt: skip
    return [line._replace(seconds=found.seconds, command=command) for line in lines]


class Known(NamedTuple):
    """A figure that is there both before and after."""

    before: float
    after: float


def known(pair: Pair) -> Known:
    """A pair of which neither is absent."""
    assert pair.before is not None, "the bench has test rows"
    assert pair.after is not None, "the bench has test rows"
    return Known(pair.before, pair.after)


if __name__ == "__main__":
    rest_soon()
    main()
