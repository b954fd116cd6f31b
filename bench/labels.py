"""What pretraining is worth where labels are few: the same network with and without it.

    python -m bench.labels [SET ...] [--data FOLDER] [--seeds 3] [--shares 0.05 0.1]
        [--cells FILE] [--steps 300] [--rows 1000] [--dry]

Small networks from nothing on six sets. All training rows are learned from without their labels
(`pretrain`, by its usual method), then 5 % and 10 % of them with their labels, by a network that
begins at random and by one that begins from there; nothing else differs. Every set has as many
steps. No row says when to stop: with so few labels, all of them are learned from. Each cell is
written to a file as it ends, and what is there already is not made again. Seconds are those of one
processor core. Writes bench/results/labels.json and the table of docs/verbs/pretrain.md.
"""

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.line import ROOT, Line, publish, table
from bench.shared_sets import cheap_job, default_data
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.job.steps import rows_a_step, steps_a_pass
from modalloy.judge.validate import validate
from modalloy.learn import processes
from modalloy.learn.training import learn_job
from modalloy.runs.run import load_run
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts, split_job
from modalloy.table.table import Table
from modalloy.tasks.columns import number_columns
from modalloy.verbs import pretrain

PAGE = "verbs/pretrain.md"
CELLS = ROOT / "bench" / "results" / "labels_cells.json"
STEPS = 150  # of each training with labels
POINTS, RMSE = 3.0, 0.05  # to gain: points of a score, or a share of the error
SETS = ("av_digits", "ikea_products", "shipments", "cwru", "tep", "bike_frames")
TASKS = {"shipments": ("late", "freight")}  # all of a set's otherwise
AUROC = ("late",)  # a rare class: accuracy says little
TEXT = {"type": "text", "encoder": "scratch", "vocabulary": 4000}
COLUMNS: dict[str, dict[str, Any]] = {  # in place of encoders that are pretrained, or fixed
    "av_digits": {
        "audio": {"type": "audio", "rate_hz": 8000, "seconds": 0.8},
        "image": {"type": "image", "pixels": 28},
    },
    "ikea_products": {
        "image": {"type": "image", "pixels": 64},
        "name": TEXT | {"max_tokens": 16},
        "description": TEXT | {"max_tokens": 48},
        "color": TEXT | {"max_tokens": 16},
        "size_text": TEXT | {"max_tokens": 24},
    },
    "shipments": {"item_text": TEXT | {"max_tokens": 24}},
    "cwru": {
        "vibration": {
            "type": "series",
            "from": ["vib_drive_end", "vib_fan_end"],
            "rate_hz": 12_000,
            "length": 1024,
            "front": ["learned"],
        }
    },
    "tep": {"process": {"front": ["learned"]}},
    "bike_frames": {},
}


def main() -> None:
    """Make the cells that are not there yet, then the table of all."""
    parser = argparse.ArgumentParser(prog="python -m bench.labels")
    parser.add_argument("sets", nargs="*", choices=[*SETS, []])
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.05, 0.1])
    parser.add_argument("--cells", type=Path, default=CELLS)
    parser.add_argument("--steps", type=int, default=300, help="of pretraining")
    parser.add_argument("--rows", type=int, default=1000, help="test rows at most")
    parser.add_argument("--dry", action="store_true", help="print the table, publish nothing")
    args = parser.parse_args()
    if not args.data.is_dir():
        sys.exit(f"No data folder at {args.data}; give it with --data.")
    for seed in range(args.seeds):
        for name in args.sets or SETS:
            make_cells(name, seed, args)
    every = read(args.cells)
    lines = [line for n in args.sets or SETS for line in lines_of(n, every, args.shares)]
    if not args.dry:
        publish("labels", lines, PAGE)
    print(table(lines), flush=True)


def make_cells(name: str, seed: int, args: argparse.Namespace) -> None:
    """Both networks at each share of labels, for one set and seed."""
    known = read(args.cells)
    wanted = [(share, how) for share in args.shares for how in ("alone", "pretrained")]
    wanted = [w for w in wanted if key(name, seed, *w) not in known]
    if not wanted:
        return
    job = job_of(name, args.data, seed)
    opened = open_table(job.table)
    opened = opened.read_as(None, number_columns(job))
    parts = split_job(opened, job)
    passes = passes_of(job, len(parts.train), args.steps)
    unlabelled = job.pretrain.model_copy(update={"epochs": passes})
    job = job.model_copy(update={"pretrain": unlabelled})
    with tempfile.TemporaryDirectory() as folder:
        start, took = None, 0.0
        if any(how == "pretrained" for _, how in wanted):
            begun = time.process_time()
            pretrain(job, out=Path(folder) / "pre", quiet=True)
            took = time.process_time() - begun
            start = load_run(Path(folder) / "pre", pretrained=True)
        for share, how in wanted:
            begun = time.process_time()
            some = few_labels(opened, job, parts, share, seed, args.rows)
            out = Path(folder) / f"{how}-{share}"
            given = start if how == "pretrained" else None
            epochs = passes_of(job, len(some.train), STEPS)
            train = job.train.model_copy(update={"epochs": epochs})
            own = job.model_copy(update={"train": train})
            learned = learn_job(own, opened, some, out=out, start=given, quiet=True)
            answering = processes.answer_together
            figures = validate(learned.model, learned.loader, some.test, answering).figures
            seconds = time.process_time() - begun
            extra = {"labels": len(some.train), "pretraining_s": took, "seconds": seconds}
            write(args.cells, key(name, seed, share, how), extra | {"figures": figures})
            print(name, seed, share, how, f"{seconds:.0f} s (pretraining {took:.0f} s)", flush=True)


def passes_of(job: config.Job, rows: int, steps: int) -> int:
    """Passes over some rows that make at least so many steps."""
    return math.ceil(steps / steps_a_pass(rows, rows_a_step(job, rows)))


def job_of(name: str, data: Path, seed: int) -> config.Job:
    """The scoreboard's job with a small network from nothing."""
    plain = cheap_job(name, data)
    for column, options in COLUMNS[name].items():
        own = plain["columns"].pop(column) if "type" not in options else {}
        plain["columns"][column] = own | options
    plain["tasks"] = {n: t for n, t in plain["tasks"].items() if n in TASKS.get(name, (n,))}
    plain["fuse"] = {"type": "concat", "width": 128}
    plain["train"] = {"patience": 0, "folds": 0}
    plain["pretrain"] = {"judged": 0}
    plain["seed"] = seed
    plain |= {"blend": {"use": "never"}, "calibrate": {"use": "never"}, "unlike": {"use": "never"}}
    return load_job(plain)


def few_labels(
    opened: Table, job: config.Job, parts: Parts, share: float, seed: int, most: int
) -> Parts:
    """A share of the training rows, each class of the first task as often as it is among all."""
    draw = np.random.default_rng(seed)
    target = next(iter(job.tasks.values())).target
    known = np.array([c is not None for c in opened.cells(target, parts.train)])
    rows = draw.permutation(parts.train[known])
    if isinstance(next(iter(job.tasks.values())), config.Classify):
        classes = opened.codes(target)[0]
        rows = rows[np.argsort(classes[rows], kind="stable")]
    steps = np.floor(np.arange(len(rows) + 1) * share + 0.5)
    chosen = np.sort(rows[np.diff(steps) > 0])
    tested = np.sort(draw.permutation(parts.test)[:most])
    return Parts(train=chosen, validation=rows[:0], test=tested)


def lines_of(name: str, cells: dict[str, Any], shares: list[float]) -> Iterator[Line]:
    """What pretraining gained on a set, each share of labels a line for each kind of figure."""
    for share in shares:
        pairs = [
            (cells[key(name, seed, share, "alone")], cells[key(name, seed, share, "pretrained")])
            for seed in range(100)
            if key(name, seed, share, "pretrained") in cells
            and key(name, seed, share, "alone") in cells
        ]
        if not pairs:
            continue
        seconds = sum(a["seconds"] + b["seconds"] + b["pretraining_s"] / 2 for a, b in pairs)
        labels = pairs[0][0]["labels"]
        tasks = pairs[0][0]["figures"]
        kinds = {task: metric_of(task, figures) for task, figures in tasks.items()}
        for metric in dict.fromkeys(kinds.values()):
            some = [task for task, own in kinds.items() if own == metric]
            before, after = (
                np.array([[p[i]["figures"][t][metric] for t in some] for p in pairs])
                for i in (0, 1)
            )
            yield line_of(f"{name}, {share:.0%} ({labels} labels)", metric, before, after, seconds)


def line_of(
    case: str, metric: str, before_ST: np.ndarray, after_ST: np.ndarray, seconds: float
) -> Line:
    """Points gained, or per cent of the error; the interval is the lowest and highest seed."""
    lower, anchor = metric == "rmse", f"seeds: {len(before_ST)}"
    if lower:
        gains_S = 100 * (after_ST / before_ST - 1).mean(1)
        goal, reached = f"<= {-100 * RMSE:.0f} %", bool(gains_S.mean() <= -100 * RMSE)
        told = f"change of RMSE in %, mean of {before_ST.shape[1]} tasks"
    else:
        gains_S = 100 * (after_ST - before_ST).mean(1)
        goal, reached = f">= +{POINTS:.0f} points", bool(gains_S.mean() >= POINTS)
        told = f"points of {metric} gained"
        anchor += f"; {metric} {before_ST.mean():.3f} alone, {after_ST.mean():.3f} pretrained"
    ends = (float(gains_S.min()), float(gains_S.max()))
    return Line(
        case,
        told,
        float(gains_S.mean()),
        ends,
        anchor,
        goal,
        reached,
        seconds,
        "python -m bench.labels",
    )


def metric_of(task: str, figures: dict[str, float]) -> str:
    """The figure that a task is compared by."""
    if task in AUROC:
        return "auroc"
    return "rmse" if "rmse" in figures else "accuracy"


def key(name: str, seed: int, share: float, how: str) -> str:
    """What a cell is called."""
    return f"{name}/{seed}/{share:g}/{how}"


def read(path: Path) -> dict[str, Any]:
    """The cells that are there."""
    return json.loads(path.read_text()) if path.is_file() else {}


def write(path: Path, cell: str, found: dict[str, Any]) -> None:
    """Add a cell to the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(read(path) | {cell: found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
