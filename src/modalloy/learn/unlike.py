"""What a finished training keeps of its rows, so that rows unlike all of them are known later."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from modalloy.answer.answers import View
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.classical.rows import belonging
from modalloy.job import config
from modalloy.model.model import Model
from modalloy.table.split import Parts, joined
from modalloy.unlike.fitting import fit_likeness
from modalloy.unlike.likeness import Likeness

PRETRAINED = ("image", "audio", "text", "tokens")  # kinds of columns with pretrained networks
MOST = 2000  # training rows that are kept, and rows that they are compared with


class LookedBack(NamedTuple):
    """What the network makes of rows that were learned from, and of rows that were not.

    pooled: inputs that are seen as their pretrained network pools them. held: None without rows.
    """

    pooled: list[str]
    rows: np.ndarray
    train: View
    held_rows: np.ndarray
    held: View | None


def look_back(model: Model, loader: Loader, parts: Parts, *, refit: bool) -> LookedBack:
    """Some training rows, and some of those that calibrate and of the validation rows.

    With `refit` (and after folds) the model has learned from the latter.
    """
    train = joined(parts).train if refit else parts.train
    held = np.concatenate([parts.calibration, parts.validation[: 0 if refit else None]])
    draw = np.random.default_rng(model.job.seed)
    rows = drawn(train, draw)
    held = drawn(held, draw)
    pooled = pretrained_inputs(model)
    references = view_rows(model, loader, rows, pooled)
    judges = view_rows(model, loader, held, pooled) if len(held) else None
    return LookedBack(pooled, rows, references, held, judges)


def fit_unlike(job: config.Job, loader: Loader, back: LookedBack) -> Likeness | None:
    """What to compare rows with; None where rows are too few.

    Ordinary distances are those of rows that were not learned from; where few other rows are left,
    training rows are each compared with all others but those that belong together with it.
    """
    given = {"groups": belonging(job, loader.cells, back.rows), "pooled": back.pooled}
    return fit_likeness(back.train, back.held, share=job.unlike.share, **given)


def pretrained_inputs(model: Model) -> list[str]:
    """Inputs whose pretrained network says more of a cell than the summary that tasks need."""
    kinds = {name: reader.kind for name, reader in model.readers.items()}
    return [
        name
        for name, encoder in model.encoders.items()
        if encoder.trunk is not None and kinds.get(name) in PRETRAINED
    ]


def view_rows(model: Model, loader: Loader, rows: np.ndarray, pooled: Sequence[str]) -> View:
    """What the network makes of these rows."""
    view = answer_rows(model, loader, rows, tasks=lambda h: (), viewed=pooled).view
    assert view is not None, "it was asked for, of one row at least"
    return view


def drawn(rows: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """At most `MOST` of these rows, in ascending order."""
    return np.sort(draw.choice(rows, MOST, replace=False) if len(rows) > MOST else rows)
