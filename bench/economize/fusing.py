"""A bandit over ways to fuse - the kind, its depth, which columns attend - beside random search, by
equally many short trainings that validation rows judge.
"""

import time
from typing import Any, NamedTuple

import numpy as np

from bench.line import Line
from bench.written import mean
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.job.inputs import inputs
from modalloy.job.job_file import load_job
from modalloy.job.ranges import plain
from modalloy.job.rules import MEDIA
from modalloy.table.split import split_job
from modalloy.table.table import Table
from modalloy.tuning.bandit import Way, choose
from modalloy.tuning.trial import Bench, learn_trial

KINDS = ("concat", "sum", "gated", "multilinear", "attention", "tabm")
DEPTHS = (1, 2, 3)
EPOCHS = 2  # of a short training
FAILED = 0.0  # the score of a way that cannot be trained


class Searched(NamedTuple):
    """How one search went: the best score after all runs, and the mean of all."""

    best: float
    mean: float


def compare_ways(case: str, job: config.Job, table: Table, runs: int, seeds: int) -> list[Line]:
    """Both searches with the same number of trainings, seed by seed."""
    begun = time.perf_counter()
    options = [list(KINDS), list(DEPTHS), subsets(job)]
    parts = split_job(table, job)
    bench = Bench(job, table, parts._replace(test=parts.test[:0]), {}, {})
    scores: dict[Way, float] = {}

    def score(way: Way) -> float:
        if way not in scores:
            kind, depth, away = (own[v] for own, v in zip(options, way, strict=True))
            scores[way] = score_of(job, bench, kind, depth, away)
        return scores[way]

    sizes = [len(own) for own in options]
    ours = [search(score, sizes, runs, seed, bandit=True) for seed in range(seeds)]
    theirs = [search(score, sizes, runs, seed, bandit=False) for seed in range(seeds)]
    seconds = time.perf_counter() - begun
    lines = []
    for what in ("best", "mean"):
        one, other = (mean([getattr(s, what) for s in found]) for found in (ours, theirs))
        said = f"random search {other:.4f}, {runs} runs each, {seeds} seeds"
        metric = f"{what} validation score of a bandit"
        lines.append(Line(case, metric, one, None, said, ">= random", one >= other, seconds))
    return lines


def search(score: Any, sizes: list[int], runs: int, seed: int, *, bandit: bool) -> Searched:
    """So many short trainings; drawn by a bandit, or evenly."""
    draw = np.random.default_rng(seed)
    tried: list[tuple[Way, float]] = []
    for _ in range(runs):
        way = choose(tried if bandit else [], sizes, draw)
        tried.append((way, score(way)))
    found = [s for _, s in tried]
    return Searched(max(found), mean(found))


def subsets(job: config.Job) -> list[tuple[str, ...]]:
    """Columns that are left out: none, all tabular ones, or one media column."""
    media = [n for n, o in inputs(job).items() if o.type in MEDIA]
    plain_ones = tuple(n for n in inputs(job) if n not in media)
    found = [(), *((n,) for n in media), *([plain_ones] if plain_ones else [])]
    return [away for away in found if len(away) < len(inputs(job))]


def score_of(job: config.Job, bench: Bench, kind: str, depth: int, away: tuple[str, ...]) -> float:
    """What validation rows say of a short training that fuses in this way."""
    data: dict[str, Any] = plain(job)
    data["fuse"] = {"type": kind, "layers": depth, "width": job.fuse.width}
    data["columns"] = {n: o for n, o in data["columns"].items() if n not in away}
    data["train"] |= {"epochs": EPOCHS, "patience": 0, "refit": False, "folds": 0}
    data |= {"calibrate": {"use": "never"}, "unlike": {"use": "never"}}
    try:
        learned = learn_trial(load_job(data), bench, lambda *_: None)  # type: ignore[arg-type]
    except JobError:
        return FAILED
    best = learned.progress.best
    return FAILED if best is None else best.value
