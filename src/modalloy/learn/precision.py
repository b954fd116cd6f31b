"""How this machine computes a training: the number type and layout that a probe found quickest."""

from typing import Any

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.job import config
from modalloy.job.steps import Course
from modalloy.learn import processes
from modalloy.learn.plan import Plan
from modalloy.learn.probe import Probe, apply, probe
from modalloy.learn.progress import Progress
from modalloy.learn.sharded import sharded_blocks, take_part
from modalloy.learn.state import State
from modalloy.machine.limits import number_types_file
from modalloy.model.layers.shared_norms import share_figures
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.pretext import Pretraining


def choose_precision(
    state: State[Any],
    plan: Plan[Any],
    loader: Loader,
    rows: np.ndarray,
    job: config.Job,
    way: Course,
    world: int,
    like: Progress | None,
) -> Progress:
    """Fresh notes with the number type: that of an earlier training, or the quickest of a probe.

    The probe runs on the first batch, in the first process; every process does as that one says.
    """
    if like:
        half, channels_last = like.half, like.channels_last
        return Progress(way.batch, way.epochs, half=half, channels_last=channels_last)

    def choose() -> Probe:
        if world > 1 and sharded_blocks(state.model):  # one process alone cannot try them
            return Probe(job.train.precision == "bfloat16", False, {})
        some = processes.share_of(rows[: way.batch], 0, world)
        batch, kept = Batch.of(loader.batch(some), state.model.device), number_types_file()
        precision, steps = job.train.precision, state.steps
        return probe(state.model, plan.objective, batch, precision, steps=steps, kept=kept)

    choice = processes.first_decides(choose, world)
    return Progress(
        way.batch,
        way.epochs,
        half=choice.half,
        channels_last=choice.channels_last,
        probe=choice.seconds,
    )


def set_up(model: Model | Pretraining, notes: Progress, world: int) -> None:
    """The model as this training computes: number type, layout, figures shared by processes."""
    apply(model, Probe(notes.half, notes.channels_last, {}))
    if world > 1:
        share_figures(model)
        take_part(model.body)
