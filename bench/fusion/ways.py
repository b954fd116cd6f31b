"""Every way of fusing on every set of several inputs, judged on validation rows alone.

    python -m bench.fusion [SET ...] [--ways concat gated ...] [--seeds 1] [--data FOLDER]

The jobs are the scoreboard's, made cheap: pretrained encoders are frozen (their features are read
once a set), fewer epochs, at most 10,000 training rows. The figure is the skill that stops a
training (accuracy with AUROC or macro F1; R2): the best epoch's. Test rows are never read. Writes
bench/results/fusion.json after every training and prints the table of dev/LOG.md at the end.

av_digits is left out because every way is right on all its validation rows, mosi because with its
audio and face vectors every way reaches .96 on the validation speakers, and those vectors are near
chance on new ones.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from bench.shared_sets import default_data, job_files

from modalloy.answer.loader import Loader
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.frozen_features import frozen_features
from modalloy.learn.train import train_model
from modalloy.machine.limits import cores
from modalloy.model.device import placed
from modalloy.model.model import Model
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts, split_job

RESULTS = Path(__file__).parent.parent / "results" / "fusion.json"
WAYS = ("concat", "sum", "multilinear", "gated", "attention", "bottleneck", "tabm")
MOST_ROWS = 10_000
EPOCHS = {  # of these, the best counts
    "cmapss_fd001": 20,
    "easy_vqa": 4,
    "excavators": 12,
    "ikea_products": 15,
    "shipments": 10,
}
Results = dict[str, dict[str, list[float]]]


class Opened(NamedTuple):
    """A set that is read once for all ways of fusing."""

    job: config.Job
    loader: Loader
    parts: Parts


def main() -> None:
    """Train every way on every set asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.fusion")
    parser.add_argument("sets", nargs="*")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--threads", type=int, default=cores())
    args = parser.parse_args()
    if not args.data.is_dir():
        sys.exit(f"No data folder at {args.data}; give it with --data.")
    torch.set_num_threads(args.threads)
    for name in args.sets or EPOCHS:
        opened = open_set(name, args.data)
        for way in args.ways:
            start = time.perf_counter()
            scores = [round(train_one(opened, way, seed), 4) for seed in range(args.seeds)]
            record(name, way, scores)
            print(name, way, scores, f"{time.perf_counter() - start:.0f} s", flush=True)
    print(table(written()))


def written() -> Results:
    """The figures written so far, by this command or one beside it."""
    return json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}


def record(name: str, way: str, scores: list[float]) -> None:
    """Write one set's figures of one way of fusing."""
    results = written()
    results.setdefault(name, {})[way] = scores
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def open_set(name: str, data: Path) -> Opened:
    """The set's job made cheap, its rows, and its training and validation parts."""
    path = job_files(name)[0]
    found = load_job(path)
    plain: dict[str, Any] = found.model_dump(mode="json", by_alias=True, exclude_none=True)
    plain["table"] = str(data / Path(found.table).relative_to(path.parent))
    for column in plain["columns"].values():
        if column.get("encoder", "scratch") != "scratch":
            column["tune"] = "frozen"
    plain["split"]["validation"] = plain["split"]["validation"] or 0.1
    plain["train"] |= {"epochs": EPOCHS[name], "patience": EPOCHS[name]}
    job = load_job(plain)
    opened = open_table(job.table)
    parts = split_job(opened, job)
    loader = open_loader(job, opened, parts)
    train = loader.labelled(parts.train)
    if len(train) > MOST_ROWS:
        train = np.sort(np.random.default_rng(0).choice(train, MOST_ROWS, replace=False))
    parts = Parts(train, parts.validation, parts.test[:0])
    model = placed(Model(job, loader.readers, loader.targets, pretrained=True))
    frozen_features(model, loader, np.concatenate([parts.train, parts.validation]), quiet=True)
    return Opened(job, loader, parts)


def train_one(opened: Opened, way: str, seed: int) -> float:
    """The best validation skill of one training."""
    fuse = load_job({**opened.job.model_dump(mode="json", by_alias=True), "fuse": {"type": way}})
    job = opened.job.model_copy(update={"fuse": fuse.fuse, "seed": seed})
    torch.manual_seed(seed)
    model = placed(Model(job, opened.loader.readers, opened.loader.targets, pretrained=True))
    with tempfile.TemporaryDirectory() as out:
        notes = train_model(model, opened.loader, opened.parts, job, Path(out), quiet=True)
    return max(line["score"] for line in notes.curves)


def table(results: Results) -> str:
    """Markdown: a line a set, a column a way; the last line is the mean rank, 1 is best."""
    lines = ["| set | " + " | ".join(WAYS) + " |", "|---" * (len(WAYS) + 1) + "|"]
    ranks: list[list[int]] = []
    for name, ways in results.items():
        if len(ways) < len(WAYS):
            continue
        means = {w: statistics.mean(ways[w]) for w in WAYS}
        best = max(means.values())
        cells = [f"**{m:.3f}**" if m == best else f"{m:.3f}" for m in means.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
        ranks.append([1 + sum(other > m for other in means.values()) for m in means.values()])
    mean = [f"{statistics.mean(column):.1f}" for column in zip(*ranks, strict=True)]
    return "\n".join([*lines, "| mean rank | " + " | ".join(mean) + " |"])
