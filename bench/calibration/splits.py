"""Whether sets and intervals hold what they promise, how far stated certainty is from the truth,
and what abstaining saves: one training a set, its held-back rows split twenty times.

    python -m bench.calibration [SET ...] [--splits 20] [--data FOLDER]

The jobs are the scoreboard's, made cheap: pretrained encoders are frozen, and the split is drawn by
rows, so that held-back rows are of one kind, which is all that conformal prediction asks for. Half
of these calibrate, the other half is judged; both are drawn anew each time. Answers are the
blend's, as a run gives them, and the network's alone, which no blend has made less sure. Writes
bench/results/calibration.json and the table of its page.

coverage: splits whose realised coverage of 90 % lies in its beta-binomial band; the band is as wide
as all twenty together need to lie in it in 95 of 100 cases. ece: before and after the stage, means
over the splits. error: of all rows and of those left when the least sure tenth abstains, by the
threshold of the calibrating half. were it perfect: the calibration error that the judged rows would
show by chance if each class came true as often as it is said to.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from bench.line import Line, publish, table
from bench.shared_sets import cheap_job, default_data

from modalloy.answer.promise import Known, keep_promises
from modalloy.answer.stage import adjust
from modalloy.blend.mixture import NOTHING
from modalloy.job.job_file import load_job
from modalloy.judge.calibrated import band, realised
from modalloy.judge.metrics.score import score
from modalloy.judge.sections import Sections
from modalloy.learn.blending import fit_blend
from modalloy.learn.calibrate import answer_kept, fit_calibration, known_rows
from modalloy.learn.training import Learned, learn_job
from modalloy.machine.limits import cores
from modalloy.readers.targets.target import names_of
from modalloy.table.split import split_job
from modalloy.table.table import open_table

PAGE = "verbs/calibrate.md"
SETS = {  # columns that would take minutes to read, and that few answers need
    "shipments": ["item_text"],
    "financial_phrasebank": [],
    "excavators": [],
    "elpv": [],
    "esc10": [],
    "banking77": [],
}
SPLIT = {"random": "stratified", "test": 0.4, "validation": 0.1}
TOGETHER, ABSTAIN = 0.95, 0.1
HALF, THIRD_LESS = 1 / 2, 2 / 3  # of the calibration error, and of the error, at most


class Split(NamedTuple):
    """What one half of the held-back rows says of the other."""

    inside: bool
    coverage: float
    size: float
    ece: tuple[float, float, float] | None
    error: tuple[float, float] | None


def main() -> None:
    """Train on every set asked for, and split its held-back rows."""
    parser = argparse.ArgumentParser(prog="python -m bench.calibration")
    parser.add_argument("sets", nargs="*")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--threads", type=int, default=cores())
    args = parser.parse_args()
    if not args.data.is_dir():
        sys.exit(f"No data folder at {args.data}; give it with --data.")
    torch.set_num_threads(args.threads)
    for name in args.sets or SETS:
        start = time.perf_counter()
        found = dict(splits_of(name, args.data, args.splits))
        seconds = time.perf_counter() - start
        command = f"python -m bench.calibration {name}"
        lines = [
            line
            for task, split in found.items()
            for line in lines_of_task(f"{name}, {task}", split, seconds, command)
        ]
        publish("calibration", lines, PAGE)
        print(table(lines), flush=True)


def splits_of(name: str, data: Path, splits: int) -> Iterator[tuple[str, list[Split]]]:
    """The splits of each task of a set."""
    with tempfile.TemporaryDirectory() as out:
        learned = learn(name, data, Path(out))
        model, loader, parts = learned.model, learned.loader, learned.parts
        given = (model, loader, parts, learned.held_out, Sections())
        blend = fit_blend(*given, refit=learned.refit).blend
        for said, what in ((blend, ""), (NOTHING, ", network alone")):
            for task, held in answer_kept(model, loader, parts.test, said).items():
                if what and task not in blend.tasks:
                    continue  # it is the network alone as it is
                known = known_rows(loader, task, held, ())
                known = known.some(np.flatnonzero([t is not None for t in known.truth]))
                found = [split_once(learned, task, known, k, splits) for k in range(splits)]
                yield f"{task}{what}", found


def learn(name: str, data: Path, out: Path) -> Learned:
    """The set's job made cheap, learned without a look at its held-back rows."""
    plain = cheap_job(name, data)
    plain["columns"] = {n: o for n, o in plain["columns"].items() if n not in SETS[name]}
    plain["split"] = SPLIT
    job = load_job(plain)
    opened = open_table(job.table)
    return learn_job(job, opened, split_job(opened, job), out=out, quiet=True)


def split_once(learned: Learned, task: str, known: Known, seed: int, splits: int) -> Split:
    """Calibrate on a half of the rows, and judge the other half."""
    job, targets = learned.model.job, learned.loader.targets
    order = np.random.default_rng(seed).permutation(len(known.truth))
    half = known.some(np.sort(order[: len(order) // 2]))
    rest = known.some(np.sort(order[len(order) // 2 :]))
    made = fit_calibration(job, targets, {task: half}, source="kept")
    options, names, before = job.tasks[task], names_of(targets[task]), {task: rest.answer}
    after = adjust(before, made.stages)
    kept = keep_promises(job.tasks, made.promises, before, after, rest.groups)[task]
    said = realised(made.promises[task], kept, rest.truth, rest.groups, names)
    each = 1.0 - (1.0 - TOGETHER) / splits
    low, high = band(said["fitted_on"], said["rows"], said["asked"], sure=each)
    size = said.get("size", said.get("width"))
    inside = low <= said["coverage"] <= high
    if names is None:
        return Split(inside, said["coverage"], size, None, None)
    ece = [score(options, rest.truth, a[task], names)["ece"] for a in (before, after)]
    draw = np.random.default_rng(seed)
    chance = [drawn_truth(after[task]["probability"], names, draw) for _ in range(10)]
    floor = statistics.mean(score(options, t, after[task], names)["ece"] for t in chance)
    sure = adjust({task: half.answer}, made.stages)[task]["probability"].max(1)
    p_BC = after[task]["probability"]
    wrong = np.array([names[c] for c in p_BC.argmax(1)]) != np.array(rest.truth)
    left = p_BC.max(1) > np.quantile(sure, ABSTAIN)
    error = (float(wrong.mean()), float(wrong[left].mean()))
    return Split(inside, said["coverage"], size, (ece[0], ece[1], floor), error)


def drawn_truth(p_BC: np.ndarray, names: Sequence[str], draw: np.random.Generator) -> list[str]:
    """Classes that come true as often as is said."""
    reached_BC = p_BC.cumsum(1) > draw.random(len(p_BC))[:, None] * p_BC.sum(1, keepdims=True)
    return [names[c] for c in reached_BC.argmax(1)]


def lines_of_task(case: str, found: list[Split], seconds: float, command: str) -> list[Line]:
    """Means over the splits, and in how many of them coverage lay in its band."""
    made = {"seconds": seconds, "command": command}
    inside, count = sum(s.inside for s in found), len(found)
    every, spread = f"{count} of {count}", [s.coverage for s in found]
    lines = [
        Line(case, "splits in the band", inside, goal=every, reached=inside == count, **made),
        Line(case, "coverage of 90 %", statistics.mean(spread), ends(spread), **made),
        Line(case, "size", statistics.mean(s.size for s in found), **made),
    ]
    for metric, share, pairs in (
        ("calibration error", HALF, [s.ece for s in found]),
        (f"error, {ABSTAIN:.0%} abstaining", THIRD_LESS, [s.error for s in found]),
    ):
        known = [p for p in pairs if p is not None]
        if not known:
            continue
        old, new, *floor = (statistics.mean(x) for x in zip(*known, strict=True))
        perfect = "".join(f", {f:.3f} were it perfect" for f in floor)
        lines.append(
            Line(
                case,
                metric,
                new,
                ends([pair[1] for pair in known]),
                f"{old:.3f} before{perfect}",
                f"<= {share * old:.3f}",
                new <= share * old,
                **made,
            )
        )
    return lines


def ends(values: list[float]) -> tuple[float, float]:
    """Between which 95 of 100 splits lie."""
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
