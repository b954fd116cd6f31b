"""Learning on from a run's weights under attack: as many passes as the time allows, stopped and
chosen by validation rows.
"""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modalloy.attacks.budget import Budget
from modalloy.hardening.looks import ATTACKED, STEPS, Chosen, Looks, choose_weights
from modalloy.hardening.objective import FORWARD, cost_of, hardening
from modalloy.hardening.rows import Rows
from modalloy.job import config
from modalloy.judge.validate import Score
from modalloy.learn.augment import augmenting
from modalloy.learn.phase import Phase
from modalloy.learn.plan import Plan
from modalloy.learn.train import train_model
from modalloy.learn.weighting import Weighting
from modalloy.model.model import Model

TIMES = 2.5  # passes of the training that `epochs: auto` takes, by what they cost
FEWEST = 3  # passes, however little the training took
HARDENING = Phase(None, "harden.jsonl", "hardening")


@dataclass(frozen=True)
class Hardened:
    """How a hardening went. before: clean and attacked score of validation rows; None without any.

    seconds: of all of it. chosen: the weights. interrupted: by Ctrl-C.
    """

    epochs: int
    planned: int
    seconds: float
    chosen: Chosen
    interrupted: bool = False
    before: tuple[Score, Score] | None = None
    curves: list[dict[str, Any]] = field(default_factory=list)


def learn_on(
    model: Model,
    rows: Rows,
    budgets: Sequence[Budget],
    out: Path,
    *,
    earlier: dict[str, Any],
    quiet: bool,
) -> Hardened:
    """Harden a model in place, as the `harden` section of its job says.

    earlier: notes of the run that it goes on from. out: gets the log.
    """
    start = time.perf_counter()
    options, loader, parts = model.job.harden, rows.loader, rows.parts
    job = training_job(model.job, earlier, len(parts.train), len(parts.validation))
    looks = Looks(model, loader, parts.validation, budgets)
    before = looks.both() if len(parts.validation) else None
    if before is not None:
        looks.least = before[0].value - options.clean_loss / 100
    old = {name: t.detach().clone() for name, t in model.state_dict().items()}
    plan = Plan(
        hardening(model, options, budgets),
        Weighting(job),
        augmenting(job),
        score=looks.score if before is not None else None,
    )
    with through_frozen(model):
        given = (model, loader, parts, job, out)
        progress = train_model(*given, plan=plan, quiet=quiet, phase=HARDENING)
    chosen = choose_weights(looks, old)
    model.eval()
    return Hardened(
        progress.epoch,
        progress.epochs,
        time.perf_counter() - start,
        chosen,
        progress.interrupted,
        before,
        progress.curves,
    )


def training_job(
    job: config.Job, earlier: dict[str, Any], training: int, validation: int
) -> config.Job:
    """The job that the hardening trains by: its passes and rate, in float32, without a clock."""
    options, settings = job.harden, job.train
    epochs = options.epochs
    if epochs == "auto":
        epochs = passes(options, max(1, int(earlier.get("epochs", 1))), training, validation)
    changes = {
        "epochs": epochs,
        "lr": settings.lr if options.lr == "auto" else options.lr,
        "minutes": None,
        "freeze_epochs": 0,
        "precision": "float32",
        "batch": earlier.get("batch", settings.batch),
    }
    return job.model_copy(update={"train": settings.model_copy(update=changes)})


def passes(options: config.Harden, trained: int, training: int, validation: int) -> int:
    """As many passes as take 2.5 times what so many of a plain training take, looks included.

    A pass over rows with gradients counts 1, one without a third.
    """
    look = FORWARD * validation + min(validation, ATTACKED) * (STEPS + FORWARD)
    plain = training + FORWARD * validation
    each = training * cost_of(options) + look
    return max(FEWEST, math.floor(TIMES * trained * plain / max(1.0, each)))


@contextmanager
def through_frozen(model: Model) -> Iterator[None]:
    """Gradients pass frozen encoders on their way to the cells, which are attacked behind them."""
    encoders = list(model.encoders.values())
    for encoder in encoders:
        encoder.opened = True
    try:
        yield
    finally:
        for encoder in encoders:
            encoder.opened = False
