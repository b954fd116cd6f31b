"""What a verb trains by: objective, total, views, change of weights, and the score for stopping."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.judge.validate import Score, validate
from modalloy.learn import processes
from modalloy.learn.adapting import allocating
from modalloy.learn.augment import augmenting
from modalloy.learn.change import Change
from modalloy.learn.fit import Views
from modalloy.learn.state import Total
from modalloy.learn.weighting import Weighting
from modalloy.model.model import Model, essential_inputs
from modalloy.objectives.hiding import hiding
from modalloy.objectives.losses import Net, Objective
from modalloy.objectives.supervised import supervised


@dataclass(frozen=True)
class Plan(Generic[Net]):
    """One way to learn; `train_model` does the rest.

    score: asked at each look (`Course.look_every`), with the averaged weights in the model; those
    with the highest value are kept, and patience counts looks from there. Without a score all
    epochs run and the last weights are kept. change: `Scheduled` without one.
    """

    objective: Objective[Net]
    total: Total
    views: Views | None = None
    change: Change | None = None
    score: Callable[[], Score] | None = None


def supervised_plan(model: Model, loader: Loader, validation: np.ndarray) -> Plan[Model]:
    """Learn all tasks of a job from their answers; stop by how well validation rows are answered.

    Inputs are hidden and rows augmented as the job asks. All processes work out the score together.
    """
    job, score = model.job, None
    if len(validation):
        score = partial(validate, model, loader, validation, processes.answer_together)
    chance, keep = job.fuse.modality_dropout, essential_inputs(job)
    objective = hiding(supervised, chance=chance, keep=keep)
    change = allocating(model, job.train)
    return Plan(objective, Weighting(job), augmenting(job), change=change, score=score)
