"""Which weights of a run each method of fine-tuning lets learn, and at what rates."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
from torch import Tensor, nn

from modalloy.adaptation.asked import Asked
from modalloy.answer.loader import Loader
from modalloy.job import config
from modalloy.job.tuned import pretrained
from modalloy.learn.epoch_order import epoch_order
from modalloy.learn.weighting import Weighting
from modalloy.model.adapters.attach import attach
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses, Objective
from modalloy.objectives.supervised import supervised
from modalloy.runs.run import Run

LONGER = 2  # steps and looks, where old rows have to stay known meanwhile
SLOWER = 0.3  # of the rates that the run was trained at: its weights are near their place
IN_PLACE = ("last_n", "full")  # methods that change the weights of encoders themselves
BATCH, MEASURED = 32, 16  # rows a batch, and batches, that say which layers need capacity


def adapted_job(job: config.Job, asked: Asked) -> config.Job:
    """The job that a fine-tuning learns by: which pretrained encoders change, and how fast."""
    columns = dict(job.columns)
    tune = "full" if asked.method in IN_PLACE else "frozen"
    for name in pretrained(job):
        columns[name] = columns[name].model_copy(update={"tune": tune})
    slower = SLOWER if asked.method in IN_PLACE else 1.0
    longer = LONGER if asked.keeps else 1
    settings = job.train.model_copy(
        update={
            "start": None,
            "minutes": asked.minutes,
            "lr": job.train.lr * slower,
            "encoder_lr": job.train.encoder_lr * slower,
            "epochs": "auto",
            "least_steps": job.train.least_steps * longer,
            "patience": (job.train.patience or config.Train().patience) * longer,
            "folds": 0,
            "refit": False,
            "freeze_epochs": 0,
        }
    )
    fuse = job.fuse.model_copy(update={"tune": "full"})
    return job.model_copy(update={"columns": columns, "train": settings, "fuse": fuse})


def options_of(asked: Asked) -> config.Adapter:
    """The same in the words of an adapter."""
    return config.Adapter(
        method=asked.method, rank=asked.rank, last_n=asked.last_n, budget_kb=asked.budget_kb
    )


def model_to_learn(
    run: Run, job: config.Job, asked: Asked, loader: Loader, rows: np.ndarray
) -> Model:
    """A run's model of which only those weights learn that the method names.

    rows: to learn from; with a budget they say which layers need capacity. JobError for a method
    that a network cannot take, and for ranks above its layers'.
    """
    model = replace(run, job=job).model()
    options = options_of(asked)
    if options.budget_kb is None:
        attach(model, options)
        return model
    from modalloy.model.adapters.budget import attach_budgeted, measure

    total = Weighting(job)

    def loss(model: Model, batch: Batch) -> Tensor:
        return total(supervised(model, batch))

    order = islice(epoch_order(rows, BATCH, job.seed, 0, None), MEASURED)
    batches = (Batch.of(given, model.device) for given in loader.stream(order))
    attach_budgeted(model, options, measure(model, options, batches, loss))
    return model


def holding_still(objective: Objective[Model]) -> Objective[Model]:
    """The objective with those parts in evaluation mode of which nothing learns.

    Else their dropout would only be noise.
    """

    def held(model: Model, batch: Batch) -> Losses:
        if model.training:
            for part in still_parts(model):
                part.eval()
        return objective(model, batch)

    return held


def still_parts(model: Model) -> Iterator[nn.Module]:
    """Encoders and the fusion, where nothing of them learns."""
    for part in (*(model.encoders[n] for n in model.encoders), model.fusion):
        if not any(p.requires_grad for p in part.parameters()):
            yield part


def learning_weights(model: nn.Module) -> int:
    """How many numbers learn."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
