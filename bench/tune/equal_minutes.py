"""A search beside the default job with the same minutes, on validation rows and then on test rows.

    python -m bench.tune [SET ...] [--minutes 8] [--seeds 2] [--data FOLDER]

The default job is the one that `init` prints, with the set's own split. It gets the same minutes:
it is trained from one seed after the other, and the one that validation rows like best is trained
by `train`. So both sides choose among as much; what differs is what they choose among. Writes
bench/results/tune.json after every seed.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch

import modalloy as ma
from bench.shared_sets import default_data, job_files, open_job
from bench.written import mean
from modalloy.checks.estimate import estimate
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.judge.report import Report
from modalloy.judge.wording import better
from modalloy.machine.limits import cores
from modalloy.search.trial import Bench, learn_trial
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job
from modalloy.table.table import Table

RESULTS = Path(__file__).parent.parent / "results" / "tune.json"
SETS = ("bike_frames", "shipments", "cwru")


class Ended(NamedTuple):
    """What one side ended with: its best validation score, main figures on test rows, trials."""

    score: float
    test: dict[str, float]
    trials: int
    seconds: float


def main() -> None:
    """Both sides for every set and seed asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.tune")
    parser.add_argument("sets", nargs="*")
    parser.add_argument("--minutes", type=float, default=8.0, help="of each side, everything in it")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--threads", type=int, default=cores())
    args = parser.parse_args()
    if not args.data.is_dir():
        sys.exit(f"No data folder at {args.data}; give it with --data.")
    torch.set_num_threads(args.threads)
    lines = written()
    for name in args.sets or SETS:
        job, table = open_set(name, args.data)
        for seed in range(args.seeds):
            own = job.model_copy(update={"seed": seed})
            sides = {"default": repeated, "search": searched}
            found = {side: run(own, table, args.minutes) for side, run in sides.items()}
            line = {"set": name, "seed": seed, "minutes": args.minutes}
            line |= {side: ended._asdict() for side, ended in found.items()}
            lines = [b for b in lines if (b["set"], b["seed"]) != (name, seed)] + [line]
            RESULTS.parent.mkdir(parents=True, exist_ok=True)
            RESULTS.write_text(json.dumps(lines, indent=1) + "\n")
            print(json.dumps(line), flush=True)
    print(page(lines))


def written() -> list[dict[str, Any]]:
    """The lines written so far."""
    return json.loads(RESULTS.read_text()) if RESULTS.is_file() else []


def open_set(name: str, data: Path) -> tuple[config.Job, Table]:
    """The job that `init` prints for the set's targets, split as its job by hand is."""
    hand = open_job(job_files(name)[0], data)
    table = open_table(hand.table)
    printed = load_job(ma.init(hand.table, target=[t.target for t in hand.tasks.values()]))
    split = (
        hand.split if hand.split.validation else hand.split.model_copy(update={"validation": 0.1})
    )
    return printed.model_copy(update={"split": split, "table": hand.table}), table


def repeated(job: config.Job, table: Table, minutes: float) -> Ended:
    """The job as it is, from one seed after the other until the minutes are over."""
    begun = time.perf_counter()
    parts = split_job(table, job)
    last_s = 60.0 * estimate(job, table, parts).minutes
    bench = Bench(job, table, parts._replace(test=parts.test[:0]), {}, {})
    scores: dict[int, float] = {}
    while not scores or time.perf_counter() - begun < 60.0 * minutes - last_s:
        seed = job.seed + 1000 * len(scores)
        learned = learn_trial(job.model_copy(update={"seed": seed}), bench, lambda *_: None)
        assert learned.progress.best is not None
        scores[seed] = learned.progress.best.value
    seed = max(scores, key=lambda s: scores[s])
    with tempfile.TemporaryDirectory() as folder:
        run = ma.train(job.model_copy(update={"seed": seed}), out=Path(folder) / "r", quiet=True)
        tested = figures(run.path)
    return Ended(scores[seed], tested, len(scores), time.perf_counter() - begun)


def searched(job: config.Job, table: Table, minutes: float) -> Ended:
    """A search of the job."""
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = ma.tune(job, out=Path(folder) / "study", minutes=minutes, quiet=True)
        tested = figures(found.run.path)
    assert found.best.score is not None
    seconds = time.perf_counter() - begun
    return Ended(found.best.score, tested, len(found.trials), seconds)


def figures(run: Path) -> dict[str, float]:
    """The main figure of each task on the test rows."""
    report = Report.load(run / "report.json")
    return {task: f[report.primary(task)] for task, f in report.tasks.items()} | {
        f"{task}/better": float(better(report.primary(task))) for task in report.tasks
    }


def gain(line: dict[str, Any]) -> float:
    """How much better the search is on test rows: the mean over tasks, as a share of the default's
    figure."""
    ours, theirs = line["search"]["test"], line["default"]["test"]
    tasks = [t for t in ours if not t.endswith("/better")]
    return mean([ours[f"{t}/better"] * (ours[t] / theirs[t] - 1.0) for t in tasks])


def page(lines: list[dict[str, Any]]) -> str:
    """Markdown: a line for each set and seed."""
    head = "| set | seed | minutes | default, validation | search, validation | search on test |"
    out = [head, "|---" * 6 + "|"]
    for line in lines:
        sides = (line["default"], line["search"])
        scores = " | ".join(f"{side['score']:.4f} ({side['trials']})" for side in sides)
        first = f"{line['set']} | {line['seed']} | {line['minutes']:g}"
        out.append(f"| {first} | {scores} | {100 * gain(line):+.1f} % |")
    return "\n".join(out)
