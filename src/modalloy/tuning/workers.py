"""Processes that share a study: each takes the next trial as soon as it has ended one."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from optuna.study import Study

from modalloy.errors import ModalloyError, RunError
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.machine.files import locked
from modalloy.machine.limits import cores
from modalloy.speech.heard import with_heard
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job
from modalloy.table.table import Table
from modalloy.tasks.columns import number_columns
from modalloy.tuning.manner import Cost, Manner, Pruner, Sampler
from modalloy.tuning.space import own_values
from modalloy.tuning.study import (
    connect,
    disconnect,
    next_trial,
    open_study,
    space_in,
)
from modalloy.tuning.trial import Bench, Orphaned, try_one

TURN, TURN_S = "tune.turn", 60.0  # held while a trial is taken; seconds to wait for it
POLL_S = 0.2
MODULE = "modalloy.tuning.workers"


@dataclass(frozen=True)
class Work:
    """What a process needs to know to take part in a study, in words that another one can read.

    trials: of the whole study. until: by `time.time`. number: of this process, from 0; seed: of
    what it draws.
    """

    job: str
    study: str
    out: str
    owner: str
    storage: str | None
    sampler: Sampler
    pruner: Pruner
    against: Cost | None
    trials: int | None
    until: float | None
    seed: int
    number: int = 0
    of: int = 1

    @property
    def manner(self) -> Manner:
        """How the search goes."""
        return Manner(self.sampler, self.pruner, self.against)


def take_trials(
    work: Work,
    job: config.Job,
    table: Table,
    *,
    parent: int | None = None,
    tick: Callable[[Study], None] = lambda study: None,
) -> None:
    """Try one job after another until the trials or the time are over.

    parent: the process without which this one stops. tick: called after each trial. Test rows are
    out of reach: they are in no part that a trial is given.
    """
    storage = connect(Path(work.out), work.storage)
    try:
        study = open_study(storage, work.study, work.manner, work.seed + work.number)
        space = space_in(study)
        parts = split_job(table, job)
        parts = parts._replace(test=parts.test[:0])
        own = own_values(job, space)
        bench = Bench(job, table, parts, space, own, work.against, work.until, parent)
        while not bench.over:
            # SQLite has no locks of rows: two processes at once may be handed the same trial.
            turn = locked(Path(work.out) / TURN, f"{work.out}: no turn to take.", patience_s=TURN_S)
            with turn:
                trial = next_trial(study, work.owner, work.trials)
            if trial is None:
                break
            try_one(study, trial, bench)
            tick(study)
    finally:
        disconnect(storage)


def start_workers(work: Work, folder: Path) -> list[subprocess.Popen[bytes]]:
    """Start as many processes as the work is `of`; what each says goes into a file there."""
    paths = os.pathsep.join(path for path in sys.path if path)
    threads = str(max(1, cores() // work.of))
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": threads}
    started = []
    for number in range(work.of):
        told = json.dumps(asdict(work) | {"number": number})
        command = [sys.executable, "-m", MODULE, told, str(os.getpid())]
        with open(folder / f"worker-{number}.log", "wb") as log:
            started.append(
                subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
            )
    return started


@contextmanager
def all_stopped(processes: list[subprocess.Popen[bytes]]) -> Iterator[None]:
    """Leave none of these processes behind, however this ends."""
    try:
        yield
    finally:
        for process in processes:
            if process.poll() is None:
                process.terminate()
        for process in processes:
            process.wait()


def wait_for(
    processes: list[subprocess.Popen[bytes]], folder: Path, tick: Callable[[], None]
) -> None:
    """Wait until all have ended; what one that ended well said goes. RunError if none did."""
    with all_stopped(processes):
        while any(process.poll() is None for process in processes):
            tick()
            for process in processes:
                try:
                    process.wait(POLL_S)
                except subprocess.TimeoutExpired:
                    continue
    for number, process in enumerate(processes):
        if process.returncode == 0:
            (folder / f"worker-{number}.log").unlink()
    if all(process.returncode for process in processes):
        said = (folder / "worker-0.log").read_text(errors="replace").strip().splitlines()
        why = said[-1] if said else f"ended with status {processes[0].returncode}"
        raise RunError(f"{folder / 'worker-0.log'}: no worker could go on ({why}).")


def main() -> None:
    """The other process: opens the job of the study and takes trials."""
    work, parent = Work(**json.loads(sys.argv[1])), int(sys.argv[2])
    torch.set_num_threads(max(1, cores() // work.of))
    try:
        job = load_job(Path(work.job))
        table = open_table(job.table, sheet=job.sheet).read_as(None, number_columns(job))
        table = with_heard(table, job)
        take_trials(work, job, table, parent=parent)
    except ModalloyError as error:
        sys.exit(str(error))
    except Orphaned:
        sys.exit("the process that started this one is gone")


if __name__ == "__main__":
    main()
