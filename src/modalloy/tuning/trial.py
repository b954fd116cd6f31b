"""One trial of a search: a job with other values, trained until validation rows have judged it."""

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from optuna.study import Study
from optuna.trial import Trial, TrialState

from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.errors import JobError, ModalloyError
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.job.ranges import plain, with_values
from modalloy.job.tuned import frozen_first
from modalloy.learn.phase import FOLD, Phase
from modalloy.learn.progress import Progress
from modalloy.learn.training import Learned, begin_job, learn_judged
from modalloy.model.model import Model
from modalloy.table.split import Parts
from modalloy.table.table import Table
from modalloy.tuning.manner import Cost
from modalloy.tuning.space import Space
from modalloy.tuning.study import SETTLED, suggested

TIMED_ROWS, TIMES = 64, 2  # rows whose answers are timed, and how often


class Pruned(Exception):
    """A trial that is ended because earlier ones were better at the same look."""


class OutOfTime(Exception):
    """A trial that the end of the search's time meets."""


class Orphaned(Exception):
    """The process that started this one is gone; its trial is tried anew with `--resume`."""


@dataclass
class Bench:
    """What all trials of a process share.

    own: the values that the job itself has. until: when `time.time` ends the search; None for
    never. parent: the process without which this one stops, None where it stands alone. last: the
    trial before, whose caches the next one takes over where its columns are read alike.
    """

    job: config.Job
    table: Table
    parts: Parts
    space: Space
    own: Mapping[str, Any]
    against: Cost | None = None
    until: float | None = None
    parent: int | None = None
    last: Learned | None = None

    @property
    def over(self) -> bool:
        """Whether no more may be learned."""
        return self.orphaned or (self.until is not None and time.time() >= self.until)

    @property
    def orphaned(self) -> bool:
        """Whether the process that started this one is gone."""
        return self.parent is not None and os.getppid() != self.parent


@dataclass
class Looks:
    """Tells a study how a trial stands after each look, and ends it there where it should.

    default: it is the job as it is, which has its time: without it nothing would be known.
    """

    trial: Trial
    bench: Bench
    default: bool = False
    folds: list[Progress] = field(default_factory=list)

    def __call__(self, progress: Progress, phase: Phase) -> None:
        """After a look; in folds, after the first of the next one."""
        if self.bench.orphaned:
            raise Orphaned
        if self.bench.over and not self.default:
            raise OutOfTime
        if self.bench.against is not None or progress.best is None:
            return
        if phase is not FOLD:
            self.report(progress.best.value, len(progress.curves))
        elif all(known is not progress for known in self.folds):
            scores = [known.best.value for known in self.folds if known.best is not None]
            self.folds.append(progress)
            if scores:
                self.report(float(np.mean(scores)), SETTLED - 1 + len(scores))

    def report(self, score: float, step: int) -> None:
        """The best score until now at this step; `Pruned` where others were better there."""
        self.trial.report(score, step)
        if self.trial.should_prune():
            raise Pruned


def try_one(study: Study, trial: Trial, bench: Bench) -> None:
    """Train one job and tell the study how well validation rows were answered, and at what cost.

    Ctrl-C, and the end of the process that started this one, leave the trial as it is: it is tried
    anew when the search goes on.
    """
    begun = time.perf_counter()
    values = suggested(trial, bench.space, bench.own)
    trial.set_user_attr("changed", values)
    default = trial.user_attrs.get("default", False)
    try:
        job = job_with(bench.job, values, default=default)
        learned = learn_trial(job, bench, Looks(trial, bench, default))
        best = learned.progress.best
        if best is None:
            raise JobError("no validation row has an answer, so nothing says how good this is.")
        costs = costs_of(learned.model, learned.loader, job, bench)
    except (ModalloyError, Pruned, OutOfTime) as error:
        trial.set_user_attr("why", say_ended(error))
        trial.set_user_attr("seconds", time.perf_counter() - begun)
        study.tell(trial, state=TrialState.PRUNED)
        return
    seconds = time.perf_counter() - begun
    known = {**costs, "seconds": seconds, "figures": best.figures}
    for name, value in known.items():
        trial.set_user_attr(name, value)
    match bench.against:
        case None:
            study.tell(trial, best.value)
        case "latency":
            study.tell(trial, [best.value, costs["latency_ms"]])
        case "size":
            study.tell(trial, [best.value, costs["parameters"]])


def say_ended(error: Exception) -> str:
    """Why a trial has no score of its own."""
    match error:
        case Pruned():
            return "ended early, because others were better at the same look"
        case OutOfTime():
            return "the search's time was over"
        case _:
            return str(error).splitlines()[0].rstrip(".")


def job_with(job: config.Job, values: Mapping[str, Any], *, default: bool = False) -> config.Job:
    """The job that a trial trains, without its search; the job as it is for the default.

    JobError where the values do not go together.
    """
    if default:
        return job.model_copy(update={"tune": {}})
    return load_job(with_values(plain(job), values))


def learn_trial(job: config.Job, bench: Bench, looks: Looks) -> Learned:
    """One training that validation rows judge: none of them is learned from, nothing is blended."""
    alone = {
        "train": job.train.model_copy(update={"refit": False}),
        "blend": job.blend.model_copy(update={"use": "never"}),
    }
    job = job.model_copy(update=alone)
    with tempfile.TemporaryDirectory() as out:
        first = bench.last
        if first is not None:
            forget_unlike(first.loader, first.model.job, job)
        begun = begin_job(job, bench.table, bench.parts, out=Path(out), quiet=True, first=first)
        bench.last = Learned(begun.model, begun.loader, begun.parts, Progress(0, 0))
        learned = learn_judged(begun, quiet=True, watch=looks)
    if learned.interrupted:
        raise KeyboardInterrupt
    return learned


def forget_unlike(loader: Loader, before: config.Job, now: config.Job) -> None:
    """Let go of what frozen encoders said, of columns that are read otherwise now or that learn."""
    for name in list(loader.features):
        options = now.columns.get(name)
        still = isinstance(options, config.Trunk) and (
            options.tune == "frozen" or frozen_first(now)
        )
        if not still or read_by(before.columns.get(name)) != read_by(options):
            loader.features.pop(name).kept.close()


def read_by(options: config.Column | None) -> dict[str, Any]:
    """The options of a column that say what a frozen encoder answers to its cells."""
    if not isinstance(options, config.Trunk):
        return {}
    views = getattr(options, "all_views", False)
    return options.model_dump(exclude={"tune", "last_n"} | (set() if views else {"augment"}))


def costs_of(model: Model, loader: Loader, job: config.Job, bench: Bench) -> dict[str, float]:
    """What answers of a model cost: milliseconds a row, its cells read anew, and parameters."""
    rows = bench.parts.validation[:TIMED_ROWS]
    fresh = Loader(bench.table, job, loader.readers, {}, cache_gb=0.0)
    took = []
    for _ in range(TIMES):
        start = time.perf_counter()
        answer_rows(model, fresh, rows)
        took.append(time.perf_counter() - start)
    parameters = sum(p.numel() for p in model.parameters())
    return {"latency_ms": 1000.0 * min(took) / len(rows), "parameters": parameters}
