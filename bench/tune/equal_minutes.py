"""A search beside the default job with the same minutes, on validation rows and then on test rows.

    python -m bench.tune [SET ...] [--minutes 8] [--seeds 2] [--data FOLDER]

The default job is the one that `init` prints, with the set's own split. It gets the same minutes:
it is trained from one seed after the other, and the one that validation rows like best is trained
by `train`. So both sides choose among as much; what differs is what they choose among. Writes
bench/results/tune.json and the table of its page after every seed. What is judged is the mean over
the seeds.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import torch

import modalloy as ma
from bench.line import Line, publish
from bench.line import table as say
from bench.shared_sets import default_data, job_files, open_job
from bench.written import mean
from modalloy.checks.estimate import estimate
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.judge.report import Report
from modalloy.judge.wording import better
from modalloy.machine.limits import cores
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job
from modalloy.table.table import Table
from modalloy.tuning.trial import Bench, learn_trial

PAGE = "verbs/tune.md"
SETS = ("bike_frames", "shipments", "cwru")


class Ended(NamedTuple):
    """What one side ended with: its best validation score, main figures on test rows, trials."""

    score: float
    test: dict[str, float]
    trials: int
    seconds: float


class Both(NamedTuple):
    """Both sides of one seed."""

    seed: int
    default: Ended
    search: Ended


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
    for name in args.sets or SETS:
        job, table = open_set(name, args.data)
        made: list[Both] = []
        for seed in range(args.seeds):
            own = job.model_copy(update={"seed": seed})
            given = (own, table, args.minutes)
            made.append(Both(seed, repeated(*given), searched(*given)))
            command = f"python -m bench.tune {name} --minutes {args.minutes:g} --seeds {args.seeds}"
            lines = lines_of(name, made, command)
            publish("tune", lines, PAGE)
            print(say(lines), flush=True)


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


def gain(both: Both) -> float:
    """How much better the search is on test rows: the mean over tasks, as a share of the default's
    figure."""
    ours, theirs = both.search.test, both.default.test
    tasks = [t for t in ours if not t.endswith("/better")]
    return mean([ours[f"{t}/better"] * (ours[t] / theirs[t] - 1.0) for t in tasks])


def lines_of(name: str, made: list[Both], command: str) -> list[Line]:
    """A line for each seed and side, and two for the means over the seeds."""
    seconds = sum(b.default.seconds + b.search.seconds for b in made)
    after = {"seconds": seconds, "command": command}
    ahead = [b.search.score - b.default.score for b in made]
    gains = [100.0 * gain(b) for b in made]
    seeds = ", ".join(f"{b.default.score:.4f} then {b.search.score:.4f}" for b in made)
    tested = ", ".join(f"{g:+.1f}" for g in gains)
    trials = ", ".join(f"{b.default.trials} and {b.search.trials}" for b in made)
    what = f"default, then search, by seed: {seeds}; trainings {trials}"
    given = (name, "validation score, search ahead by", mean(ahead))
    yes, on_test = mean(ahead) > 0.0, mean(gains) >= 0.0
    lines = [Line(*given, ends(ahead), what, "> 0", yes, **after)]
    given = (name, "test figures, search better by %", mean(gains), ends(gains))
    return [*lines, Line(*given, f"by seed: {tested}", ">= 0", on_test, **after)]


def ends(values: list[float]) -> tuple[float, float] | None:
    """The lowest and the highest of some seeds."""
    return (min(values), max(values)) if len(values) > 1 else None
