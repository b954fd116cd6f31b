"""One federation of some frames, and how the common network answers rows."""

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from modalloy.answer.loader import Loader
from modalloy.federation.federate_run import in_process
from modalloy.federation.own_rows import as_the_job
from modalloy.federation.plant import Plant
from modalloy.federation.server import Federation
from modalloy.federation.site_run import network_answers, told
from modalloy.federation.sites import Sites
from modalloy.federation.travelling import take_weights
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.judge.metrics.score import primary
from modalloy.learn.training import learn_job
from modalloy.model.model import Model
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

Frames = Mapping[str, pd.DataFrame]


class Done(NamedTuple):
    """A federation that has ended."""

    federation: Federation
    seconds: float  # of its rounds

    @property
    def model(self) -> Model:
        """The common model, at its best round."""
        assert self.federation.model is not None
        take_weights(self.federation.model, self.federation.best)
        return self.federation.model

    @property
    def up(self) -> int:
        """Bytes that sites sent in rounds."""
        return sum(line["up"] for line in self.federation.history)

    @property
    def flat(self) -> np.ndarray:
        """All weights of the common model."""
        best = self.federation.best
        return np.concatenate([best[n].ravel() for n in sorted(best)])


def job_of(given: Mapping[str, Any], **federate: Any) -> config.Job:
    """A job over sites' tables."""
    plain = {"blend": {"use": "never"}, "unlike": {"use": "never"}, "allow_outside": True}
    train = {"folds": 0, "refit": False, **given.get("train", {})}
    options = {"compare": False, **federate}
    return load_job({"table": "sites", **given, **plain, "train": train, "federate": options})


@contextmanager
def folder() -> Any:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="modalloy-bench-") as place:
        yield Path(place)


def federated(
    job: config.Job,
    frames: Frames,
    *,
    reach: Callable[[Mapping[str, Plant]], Sites] = in_process,
    made: Callable[[Federation], None] = lambda federation: None,
) -> Done:
    """Through all rounds; reports and runs are not written. made: sees it before the first one."""
    with folder() as place:
        plants = {
            name: Plant(name, job, opened(frame), place / name, place / name / "run")
            for name, frame in frames.items()
        }
        federation = Federation(job, reach(plants), place / "rounds")
        federation.begin()
        made(federation)
        start = time.perf_counter()
        federation.run()
        return Done(federation, time.perf_counter() - start)


def opened(frame: pd.DataFrame) -> Any:
    """A frame as a table whose files may lie anywhere."""
    return open_table(frame, allow_outside=True)


def right(model: Model, job: config.Job, frame: pd.DataFrame) -> tuple[float, tuple[float, float]]:
    """The main figure of the first task on a frame's test rows, and its interval."""
    table, _ = as_the_job(opened(frame), job, "test")
    loader = Loader(table, job, model.readers, model.targets)
    rows = split_job(table, job).test
    return figure_of(told(loader, rows, network_answers(model, loader, rows)), job)


def figure_of(figures: Mapping[str, Any], job: config.Job) -> tuple[float, tuple[float, float]]:
    """The main figure of the first task."""
    task = next(iter(job.tasks))
    metric, _ = primary(job.tasks[task])
    low, high = figures[task]["interval"].get(metric, (float("nan"), float("nan")))
    return float(figures[task][metric]), (float(low), float(high))


def learned_alone(job: config.Job, frame: pd.DataFrame) -> tuple[Model, config.Job]:
    """A network of these rows alone, of the columns that they have."""
    has = {n: o for n, o in job.columns.items() if n in frame.columns}
    job = job.model_copy(update={"columns": has})
    table = opened(frame)
    with folder() as place:
        return learn_job(job, table, split_job(table, job), out=place, quiet=True).model, job
