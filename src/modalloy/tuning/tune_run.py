"""The whole way of `tune`: a job and an open table, searched, the best job trained and reported."""

import json
import os
import shutil
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from optuna.study import Study

from modalloy.checks.check import check
from modalloy.checks.estimate import estimate
from modalloy.errors import JobError, RunError
from modalloy.job import config
from modalloy.job.job_file import save_job
from modalloy.learn.train_run import refuse_findings, train_run
from modalloy.machine.limits import limits
from modalloy.machine.progress import Bar
from modalloy.runs.run import Run, load_run
from modalloy.runs.start import check_start
from modalloy.table.split import Parts, split_job
from modalloy.table.table import Table
from modalloy.tuning.asked import FEWEST, Asked, limit_minutes, refuse_asked
from modalloy.tuning.page import write_tune_page
from modalloy.tuning.space import Fits, Space, own_values, space_of
from modalloy.tuning.study import (
    connect,
    disconnect,
    enqueue_first,
    keep_space,
    open_study,
    owner_of,
    refuse_other_forms,
    revive,
)
from modalloy.tuning.study_folder import claimed, identify, read_notes, write_notes
from modalloy.tuning.trial import job_with
from modalloy.tuning.tried import (
    COSTS,
    Tried,
    best_of,
    default_of,
    frontier,
    importance,
    trials_of,
)
from modalloy.tuning.workers import Work, start_workers, take_trials, wait_for

PAGE, BEST_JOB, BEST, JOB = "tune.html", "best.yaml", "best", "job.yaml"
TRIALS = 20  # where neither trials nor minutes are said


@dataclass(frozen=True)
class Tuned:
    """What a search ended with: its folder, all trials, the best one, and its run."""

    path: Path
    trials: list[Tried]
    best: Tried
    run: Run

    @property
    def default(self) -> Tried | None:
        """The job as it was given, where it was scored."""
        return default_of(self.trials)

    def text(self) -> str:
        """The outcome in a few lines."""
        ended = sum(t.score is None for t in self.trials)
        lines = [
            f"{len(self.trials)} trials, {ended} of them ended before they had a score",
            f"best: trial {self.best.number}, validation score {self.best.said}",
        ]
        if self.default is not None:
            lines.append(f"the job as it was: validation score {self.default.said}")
        lines += [f"  {path}: {json.dumps(v)}" for path, v in sorted(self.best.changed.items())]
        return "\n".join(lines)


def tune_run(
    job: config.Job, table: Table, out: Path, asked: Asked, *, resume: bool, quiet: bool
) -> Tuned:
    """Search, then train the best job as `train` does, and write the page of both."""
    begun = time.time()
    refuse_asked(asked, job)
    parts = split_job(table, job)
    if not len(parts.validation):
        raise JobError("split: leaves no validation row, and a search is judged by these alone.")
    found = check_start(check(job, table, parts), job, table, parts)
    refuse_findings(found, job)
    limit = limit_minutes(asked, found.estimate.minutes)
    with claimed(out, resume=resume):
        name = identify(out, job, table, parts, asked.storage)
        save_job(job, out / JOB)
        until = None if limit is None else begun + 60 * limit
        work = work_of(job, out, name, asked, until)
        storage = connect(out, asked.storage)
        try:
            study = open_study(storage, name, asked.manner, work.seed)
            most = None if limit is None else max(limit / FEWEST, 1.05 * found.estimate.minutes)
            room_gb = limits().memory_bytes / 1e9 / asked.workers
            fits = partial(fitting, table, parts, found.estimate.gflops, most, room_gb)
            begin_or_go_on(study, work, job, fits)
            search(study, work, job, table, quiet=quiet)
            trials = trials_of(study)
            shares = importance(study, job.seed)
        finally:
            disconnect(storage)
        best = best_of(trials)
        if best is None:
            why = next((t.why for t in trials if t.why), "none was begun")
            raise RunError(f"{out}: no trial has a score ({why}); give it more time.")
        return conclude(job, table, out, trials, best, shares, asked, quiet=quiet)


def fitting(
    table: Table, parts: Parts, gflops: float, most: float | None, room_gb: float, job: config.Job
) -> bool:
    """Whether a job takes no more than so many minutes, by the estimate of `check`, and memory."""
    found = estimate(job, table, parts, gflops=gflops)
    return found.memory_gb <= room_gb and (most is None or found.minutes <= most)


def work_of(job: config.Job, out: Path, name: str, asked: Asked, until: float | None) -> Work:
    """What every process of the search is told."""
    trials = asked.trials if asked.trials or asked.minutes else TRIALS
    return Work(
        str(out / JOB),
        name,
        str(out),
        owner_of(out),
        asked.storage,
        asked.manner.sampler,
        asked.manner.pruner,
        asked.manner.against,
        trials,
        until,
        job.seed,
        of=asked.workers,
    )


def begin_or_go_on(study: Study, work: Work, job: config.Job, fits: Fits) -> None:
    """Say what is tried, and enqueue the first trials, or anew those that died."""
    known = study.user_attrs.get("space")
    if known is None or known["ranges"] != job.tune:
        space: Space = space_of(job, fits)
        refuse_other_forms(study, space)
        keep_space(study, space, job.tune)
        if not study.get_trials(deepcopy=False):
            enqueue_first(study, space, own_values(job, space), job.seed)
    revive(study, work.owner, ownerless=work.storage is None)


def search(study: Study, work: Work, job: config.Job, table: Table, *, quiet: bool) -> None:
    """Try jobs until trials or time are over; what dies with a process is tried once more."""
    begun = time.time()
    total = work.trials or int(max(1.0, (work.until or begun) - begun))
    seeded = len(study.get_trials(deepcopy=False))
    work = replace(work, seed=work.seed + 1000 * seeded)  # what it draws goes on, too
    with Bar("searching", total, quiet=quiet) as bar:

        def tick(_: Study | None = None) -> None:
            trials = trials_of(study)
            done = len(trials) if work.trials else min(total, int(time.time() - begun))
            best = best_of(trials)
            note = f"{len(trials)} trials, best {best.said}" if best else "no score yet"
            bar.advance(done - bar.done, note)

        if work.of == 1:
            take_trials(work, job, table, tick=tick)
            return
        folder = Path(work.out)
        while True:
            wait_for(start_workers(work, folder), folder, tick)
            if not revive(study, work.owner, ownerless=work.storage is None):
                break


def conclude(
    job: config.Job,
    table: Table,
    out: Path,
    trials: list[Tried],
    best: Tried,
    shares: dict[str, float],
    asked: Asked,
    *,
    quiet: bool,
) -> Tuned:
    """Write the best job and what was found, train that job as `train` does, and draw the page."""
    chosen = job_with(job, best.changed, default=best.default)
    save_job(chosen, out / BEST_JOB)
    edges = {cost: frontier(trials, cost) for cost in COSTS}
    for trial in edges[asked.manner.against] if asked.manner.against else ():
        other = job_with(job, trial.changed, default=trial.default)
        save_job(other, out / f"trial-{trial.number}.yaml")
    before = read_notes(out)
    default = default_of(trials)
    notes = before | {
        "seed": job.seed,
        "best": best.number,
        "default": None if default is None else default.number,
        "importance": shares,
        "frontier": {cost: [t.number for t in edge] for cost, edge in edges.items()},
        "trials": [t.as_dict() for t in trials],
    }
    write_notes(out, notes)
    run = train_best(chosen, table, out / BEST, same=before.get("best") == best.number, quiet=quiet)
    write_tune_page(out / PAGE, job, trials, best, shares, edges, run)
    return Tuned(out, trials, best, run)


def train_best(job: config.Job, table: Table, out: Path, *, same: bool, quiet: bool) -> Run:
    """The run of the best job; one that is there already, of the same trial, is taken."""
    if (out / "run.json").is_file() and same:
        run = load_run(out)
        if not run.notes.get("interrupted"):
            return run
    elif out.exists() and not same:
        shutil.rmtree(out)
    return train_run(job, table, out, resume=out.exists() and bool(os.listdir(out)), quiet=quiet)
