"""Which weights of a run each method of fine-tuning lets learn, and at what rates."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, assert_never

from torch import nn

from modalloy.adaptation.asked import Asked
from modalloy.job import config
from modalloy.job.tuned import pretrained
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses, Objective
from modalloy.runs.run import Run

LONGER = 2  # steps and looks, where old rows have to stay known meanwhile
SLOWER = 0.3  # of the rates that the run was trained at: its weights are near their place


def adapted_job(job: config.Job, asked: Asked) -> config.Job:
    """The job that a fine-tuning learns by: which pretrained encoders change, and how fast."""
    columns = dict(job.columns)
    for name in pretrained(job):
        changes: dict[str, Any] = {"tune": "frozen"}
        if asked.method in ("full", "last_n"):
            changes = {"tune": asked.method, "last_n": asked.last_n}
        columns[name] = columns[name].model_copy(update=changes)
    slower = 1.0 if asked.method == "head" else SLOWER
    settings = job.train.model_copy(
        update={
            "start": None,
            "minutes": asked.minutes,
            "lr": job.train.lr * slower,
            "encoder_lr": job.train.encoder_lr * slower,
            "epochs": "auto",
            "least_steps": job.train.least_steps * (1 if asked.window is None else LONGER),
            "patience": (job.train.patience or config.Train().patience)
            * (1 if asked.window is None else LONGER),
            "folds": 0,
            "refit": False,
            "freeze_epochs": 0,
        }
    )
    return job.model_copy(update={"columns": columns, "train": settings})


def model_to_learn(run: Run, job: config.Job, asked: Asked) -> Model:
    """A run's model of which only those weights learn that the method names."""
    model = replace(run, job=job).model()
    match asked.method:
        case "full":
            pass
        case "last_n":
            standing = set(pretrained(job))
            for name, encoder in model.encoders.items():
                if name not in standing:
                    encoder.requires_grad_(False)
        case "head":
            model.requires_grad_(False)
            model.tasks.requires_grad_(True)
            model.auxiliary.requires_grad_(True)
        case _:
            assert_never(asked.method)
    return model


def holding_still(objective: Objective[Model]) -> Objective[Model]:
    """The objective with those parts in evaluation mode of which nothing learns.

    Else their batch norms would take new figures, and their dropout would only be noise.
    """

    def held(model: Model, batch: Batch) -> Losses:
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
