"""Fine-tuning of a run's model on new rows, perhaps with old ones beside them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from modalloy.adaptation.ageing import Ages, counting_by_age
from modalloy.adaptation.asked import Asked
from modalloy.adaptation.methods import holding_still
from modalloy.adaptation.new_rows import NewRows
from modalloy.adaptation.old_rows import OldRows
from modalloy.adaptation.replay import endless, replaying
from modalloy.answer.loader import Loader
from modalloy.job import config
from modalloy.job.steps import rows_a_step
from modalloy.judge.validate import Score, validate
from modalloy.learn import processes
from modalloy.learn.adapting import allocating
from modalloy.learn.augment import augmenting
from modalloy.learn.frozen_features import frozen_features
from modalloy.learn.phase import Phase
from modalloy.learn.plan import Plan
from modalloy.learn.progress import LOG, Progress
from modalloy.learn.train import train_model
from modalloy.learn.weighting import Weighting
from modalloy.model.model import Model, essential_inputs
from modalloy.objectives.hiding import hiding
from modalloy.objectives.losses import Objective
from modalloy.objectives.supervised import supervised
from modalloy.table.split import Parts

STEEP = 50.0  # what a unit of the score costs on old rows that is lost beyond what is allowed


def fine_tune(
    model: Model,
    new: NewRows,
    job: config.Job,
    out: Path,
    asked: Asked,
    *,
    old: OldRows | None = None,
    ages: Ages | None = None,
    quiet: bool = False,
) -> Progress:
    """Learn from new rows, and leave the model at its best weights: the old ones, where validation
    rows are answered no better by others.

    old: rows that are replayed, and of which some say how much of the old is lost: their score
    counts as much as that of new validation rows. ages: weights of the new rows.
    """
    rows = np.concatenate(new.parts[:2])
    frozen_features(model, new.loader, rows, quiet=quiet)
    if old is not None:
        frozen_features(model, old.loader, np.concatenate([old.train, old.judge]), quiet=quiet)
    score = score_of(model, new, old, asked.aimed / 100.0)
    change = allocating(model, job.train)
    plan = Plan(
        objective_of(model, job, new, asked, old, ages),
        Weighting(job),
        augmenting(job),
        change=change,
        score=score,
    )
    before = Progress(0, 0, best=score())
    phase = Phase(None, LOG, "adapting", before=before)
    parts = Parts(new.parts.train, new.parts.validation, new.parts.test)
    return train_model(model, new.loader, parts, job, out, plan=plan, phase=phase, quiet=quiet)


def objective_of(
    model: Model,
    job: config.Job,
    new: NewRows,
    asked: Asked,
    old: OldRows | None,
    ages: Ages | None,
) -> Objective[Model]:
    """What is minimised: the answers of new rows, by their age, and of old ones beside them."""
    chance, keep = job.fuse.modality_dropout, essential_inputs(job)
    plain = holding_still(hiding(supervised, chance=chance, keep=keep))
    objective = plain if ages is None else counting_by_age(plain, ages.weight_N)
    if old is None or not asked.replayed or not len(old.train):
        return objective
    size = rows_a_step(job, len(new.parts.train))
    past = endless(old.loader, old.train, size, job.seed, model)
    views = augmenting(job)
    return replaying(objective, map(views, past), asked.replayed, again=plain)


def score_of(
    model: Model, new: NewRows, old: OldRows | None, allowed: float
) -> Callable[[], Score]:
    """Says how well new validation rows are answered; with old ones, less a steep price for what
    these lose beyond what is allowed, in units of the score.
    """

    def of(loader: Loader, rows: np.ndarray) -> Score:
        return validate(model, loader, rows, processes.answer_together)

    if old is None or not len(old.judge):
        return partial(of, new.loader, new.parts.validation)
    before = of(old.loader, old.judge).value

    def both() -> Score:
        lost = before - of(old.loader, old.judge).value
        found = of(new.loader, new.parts.validation)
        return Score(found.value - STEEP * max(0.0, lost - allowed), found.figures)

    return both
