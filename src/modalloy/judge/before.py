"""What is known of a model before its first step: frozen features for baselines, first figures."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from modalloy.answer.answers import EVERYTHING
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.errors import RunError
from modalloy.judge.baselines.baselines import PART, RECIPE
from modalloy.judge.baselines.embeddings import Embeddings, frozen_embeddings
from modalloy.judge.figures import figures_of, truth_of
from modalloy.judge.report import Report
from modalloy.judge.sections import Sections
from modalloy.judge.slices import group_labels
from modalloy.model.device import placed
from modalloy.model.model import Model
from modalloy.readers.targets.target import names_of
from modalloy.runs.run import load_run
from modalloy.runs.start import kept_of
from modalloy.runs.start_weights import take_weights
from modalloy.table.split import Parts

FIRST = "before"  # part of a report; see `sections.py`


class Before(NamedTuple):
    """Features of pretrained encoders, None without one; figures by task; what could not be had."""

    embeddings: Embeddings | None
    figures: dict[str, dict[str, Any]]
    failed: list[dict[str, Any]]


def look_before(model: Model, loader: Loader, parts: Parts, *, quiet: bool) -> Before:
    """Look at a model that has not learned yet; never raises, so that a training goes on."""
    made = Sections()
    features = partial(frozen_embeddings, model, loader, parts, quiet=quiet)
    embeddings = made.run(PART, "features of pretrained encoders", features, None)
    figures: dict[str, dict[str, Any]] = {}
    if len(parts.test):
        first = partial(first_figures, model, loader, parts.test)
        figures = made.run(FIRST, "figures before training", first, {})
    return Before(embeddings, figures, made.failed)


def look_again(model: Model, loader: Loader, parts: Parts, *, quiet: bool) -> Before:
    """The same of a model that has learned: it is built anew as its training began with it."""
    made = Sections()
    first = made.run(
        PART, "the model as it was before training", partial(begun, model, loader), None
    )
    if first is None:
        return Before(None, {}, made.failed)
    return look_before(first, loader, parts, quiet=quiet)


def missed(why: str) -> Before:
    """Nothing, because the model as it was before training cannot be had."""

    def raising() -> None:
        raise RunError(f"{why}.")

    made = Sections()
    made.run(PART, "the model as it was before training", raising, None)
    return Before(None, {}, made.failed)


def first_figures(model: Model, loader: Loader, which: np.ndarray) -> dict[str, dict[str, Any]]:
    """Figures of every task before the first step: pretrained encoders, new heads."""
    answers = answer_rows(model, loader, which).seen[EVERYTHING]
    truth, groups = truth_of(loader, which), group_labels(loader, which)
    found = {
        n: figures_of(o, truth[n], answers[n], names_of(loader.targets[n]), groups)
        for n, o in model.job.tasks.items()
    }
    return {n: {"label": "before training", **f} for n, f in found.items()}


def begun(model: Model, loader: Loader) -> Model:
    """The model as its training began with it.

    JobError where a pretrained encoder is absent, RunError where the run is that it started from.
    """
    job = model.job
    with torch.random.fork_rng():
        torch.manual_seed(job.seed)
        first = placed(Model(job, loader.readers, loader.targets, pretrained=True))
    for name, encoder in first.encoders.items():
        fitted = model.encoders[name].trunk
        if encoder.fits and encoder.trunk is not None and fitted is not None:
            encoder.trunk.load_state_dict(fitted.state_dict())  # learning leaves it as it is
    if job.train.start is not None:
        start = load_run(job.train.start, pretrained=True)
        take_weights(first, start, kept_of(job, start, loader.readers, loader.targets))
    return first


def still_holds(known: Report | None) -> bool:
    """Whether the simple methods of an earlier report are whole, and made as they are today."""
    return (
        known is not None
        and known.recipe == RECIPE
        and all(f.get("part") not in (PART, FIRST) for f in known.failed)
    )
