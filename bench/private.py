"""What privacy costs, and what it holds back: the same training with it and without.

    python -m bench.private [--dry] [--rows N] [--steps N] [--epsilon E] [--data DIR]

Financial phrases (three classes) by a pretrained MiniLM with LoRA and a head. Points lost on test
rows beside the same steps and draws of rows without noise, and beside an ordinary training; and how
well losses tell training rows from test rows.
Writes docs/privacy.md unless `--dry`.
"""

import argparse
import json
import math
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

import modalloy as ma
from bench.line import Line, publish, table
from bench.shared_sets import default_data
from modalloy.answer.loader import Loader
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.job.private import Private
from modalloy.learn.adapting import begin_adapted
from modalloy.learn.fitted_rows import open_loader
from modalloy.learn.state import State, averaged
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.supervised import supervised
from modalloy.privacy.accountant import Plan, plan
from modalloy.privacy.membership import Attack, by_loss
from modalloy.privacy.noisy import private_settings, private_steps
from modalloy.privacy.per_sample import PerSample, private_total
from modalloy.privacy.units import Units
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

COMMAND = "python -m bench.private"
STEPS, TESTED, AT_ONCE = 60, 970, 128
SHARE, LR = 0.1, 1.0  # rows a step; rate of the head and of the adapters
LOST, FOUND = 5.0, 0.55  # points at most, area at most
SET = "financial_phrasebank"


class Learned(NamedTuple):
    """A trained model's share of right answers on test rows, attack, and seconds."""

    accuracy: float
    attack: Attack
    seconds: float


def main() -> None:
    options = parse()
    job = job_of(options.data)
    opened = open_table(job.table)
    parts = split_job(opened, job)
    draw = np.random.default_rng(0)
    train = draw.permutation(np.concatenate([parts.train, parts.validation]))[: options.rows]
    test = draw.permutation(parts.test)[: min(TESTED, options.rows)]
    loader = open_loader(job, opened, parts)
    asked = Private(epsilon=options.epsilon, share=SHARE, lr=LR, encoder_lr=LR)
    made = plan(asked, len(train), options.steps)
    quiet = made._replace(multiplier=0.0, epsilon=math.inf)
    plain = learn(job, loader, train, test, quiet, asked)
    print(f"without noise: {plain}", flush=True)
    private = learn(job, loader, train, test, made, asked)
    print(f"private: {private}", flush=True)
    found = lines(plain, private, made, ordinary(job))
    if not options.dry:
        publish("private", found, "privacy.md")
    print(table(found))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=COMMAND)
    parser.add_argument("--dry", action="store_true", help="print, write nothing")
    parser.add_argument("--rows", type=int, default=5000, help="training rows, test rows at most")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--epsilon", type=float, default=8.0)
    parser.add_argument("--data", type=Path, default=default_data())
    return parser.parse_args()


def job_of(data: Path) -> config.Job:
    """One text column, LoRA beside the queries and values of all blocks, and a head."""
    text = {"type": "text", "encoder": "minilm", "max_tokens": 32, "tune": "lora"}
    return load_job(
        {
            "table": str(data / SET / "table.csv"),
            "split": {"column": "split"},
            "columns": {"text": text | {"adapter": {"rank": 4}}},
            "tasks": {"sentiment": {"type": "classify", "target": "sentiment"}},
            "fuse": {"type": "concat", "width": 64, "layers": 1, "auxiliary": 0.0},
            "train": {"precision": "float32"},
        }
    )


def ordinary(job: config.Job) -> float:
    """Share of right answers of an ordinary training: as many passes as its rows say are best."""
    with tempfile.TemporaryDirectory() as folder:
        run = ma.train(job, out=Path(folder) / "run", quiet=True)
        told = json.loads((run.path / "report.json").read_text())
        return float(told["tasks"]["sentiment"]["accuracy"])


def learn(
    job: config.Job, loader: Loader, train: np.ndarray, test: np.ndarray, made: Plan, asked: Private
) -> Learned:
    """Train by a plan, and judge and attack what came of it."""
    start = time.perf_counter()
    torch.manual_seed(job.seed)
    model = Model(job, loader.readers, loader.targets, pretrained=True)
    begin_adapted(model, None)
    settings = private_settings(job.train, asked)
    state = State.begin(model, private_total(job), settings, made.steps)
    # Figures are to repeat, and these rows are no secret; a training takes `secrets`.
    given = {"clip": asked.clip, "settings": settings, "secret": 0}
    for step in private_steps(state, supervised, loader, Units.of_rows(train), made, **given):
        print(
            f"step {step.step}: {step.rows} rows, loss {step.total:.3f}, {step.seconds:.1f} s",
            flush=True,
        )
    with averaged(state):
        members = np.random.default_rng(1).permutation(train)[: len(test)]
        attack = by_loss(losses(state, loader, members), losses(state, loader, test))
        accuracy = right(model, loader, test)
    return Learned(accuracy, attack, time.perf_counter() - start)


def losses(state: State[Model], loader: Loader, rows: np.ndarray) -> np.ndarray:
    """Of each of these rows."""
    way = PerSample(state.model, supervised, state.total, "masks")
    return np.concatenate([way.totals(batch).numpy() for batch in batches(loader, rows)])


@torch.no_grad()
def right(model: Model, loader: Loader, rows: np.ndarray) -> float:
    """Share of rows whose class has the highest logit."""
    model.eval()
    hits = []
    for batch in batches(loader, rows):
        said_BC = model(batch).tasks["sentiment"]["logits"].mean(1)
        hits.append(said_BC.argmax(1) == batch.targets["sentiment"]["y"])
    return float(torch.cat(hits).float().mean())


def batches(loader: Loader, rows: np.ndarray) -> list[Batch]:
    """Rows as batches."""
    chunks = np.array_split(rows, -(-len(rows) // AT_ONCE))
    return [Batch.of(loader.batch(chunk)) for chunk in chunks]


def lines(plain: Learned, private: Learned, made: Plan, best: float) -> list[Line]:
    """Points lost beside an ordinary training, and both attacks."""
    lost = 100 * (best - private.accuracy)
    # Both models answer the same rows; the interval is as though they did not, so it is too wide.
    spread = 196 * math.sqrt(
        sum(a * (1 - a) / private.attack.others for a in (best, private.accuracy))
    )
    case = f"{SET}, LoRA, epsilon {made.epsilon:.1f}, {made.units:,} rows, {made.steps} steps"
    return [
        Line(
            case,
            "points lost",
            lost,
            (lost - spread, lost + spread),
            f"{best:.3f} ordinary, {plain.accuracy:.3f} in these steps without noise, "
            f"{private.accuracy:.3f} private",
            f"<= {LOST:g}",
            lost <= LOST,
            plain.seconds + private.seconds,
            COMMAND,
        ),
        Line(
            case,
            "membership AUC",
            private.attack.auc,
            private.attack.interval,
            f"{plain.attack.auc:.3f} without privacy",
            f"<= {FOUND:g}",
            private.attack.auc <= FOUND,
            private.seconds,
            COMMAND,
        ),
    ]


if __name__ == "__main__":
    main()
