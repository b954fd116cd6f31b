"""How much each new row counts by its age: half as much for each window that it is older."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch

from modalloy.adaptation.asked import half_life
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses, Objective
from modalloy.table.table import Table


class Ages(NamedTuple):
    """A weight for every row of a table, of at most 1: NaN where its time is not known.

    column: that holds the times. inside: how many of the asked rows lie within one window of the
    table's newest. counts: rows that so weighed ones are worth (Kish 1965, (sum w)² / sum w²).
    """

    weight_N: np.ndarray
    column: str
    inside: int
    counts: float


def weigh_by_age(
    job: config.Job, table: Table, which: np.ndarray, window: str, by: str | None = None
) -> Ages:
    """Weights of rows by how much older they are than the newest row of the table.

    which: rows that can be learned from. by: the column of times, else the job's. TableError where
    the job names none, or none of these rows is as new as the window.
    """
    column = time_column(job, table) if by is None else by
    life_s = half_life(window)
    moment_N = table.moments(column)
    known = np.isfinite(moment_N)
    if not known.any():
        raise TableError(f"{table.source}: column '{column}' holds no time, so no row has an age.")
    age_N = moment_N[known].max() - moment_N
    with np.errstate(invalid="ignore"):
        weight_N = np.where(known, np.exp2(-age_N / life_s), np.nan)
        inside = int((age_N[which] <= life_s).sum())
    if not inside:
        newest = age_N[which][np.isfinite(age_N[which])]
        lies = (
            f"the newest lies {told(newest.min(), life_s, window)} before"
            if len(newest)
            else ("none of them has a time")
        )
        raise TableError(
            f"{table.source}: no row with an answer that the run has not learned from lies within "
            f"{window} of the newest row by '{column}'; {lies}. Label newer rows, or give a longer "
            "window."
        )
    own = np.nan_to_num(weight_N[which])
    return Ages(weight_N, column, inside, float(own.sum() ** 2 / (own**2).sum()))


def told(age: float, life_s: float, window: str) -> str:
    """An age in windows."""
    return f"{age / life_s:.1f} times {window}"


def time_column(job: config.Job, table: Table) -> str:
    """The column that says when a row was; TableError where the job names none that is here."""
    histories = (c.history for c in job.columns.values() if isinstance(c, config.Series))
    named = [
        job.split.time,
        *(h.order for h in histories if h is not None),
        *(n for n, c in job.columns.items() if isinstance(c, config.Time)),
    ]
    have = set(table.columns)
    found = next((c for c in named if c in have), None)
    if found is None:
        known = ", ".join(f"'{c}'" for c in dict.fromkeys(named) if c) or "none"
        raise TableError(
            f"{table.source}: a window needs a column of times; the job's are {known}. Name one "
            "of the table's with --time, or adapt without a window."
        )
    return found


def counting_by_age(objective: Objective[Model], weight_N: np.ndarray) -> Objective[Model]:
    """The objective over those rows of a batch that are drawn by their weight.

    A row takes part in a step with the chance that its weight is: gradients are those of weighed
    rows in the mean. A row without a time counts as the oldest. All chance comes from torch's
    global generator, which the training seeds for each step.
    """
    least = float(np.nanmin(weight_N))
    weight = torch.from_numpy(np.nan_to_num(weight_N, nan=least)).float()

    def aged(model: Model, batch: Batch) -> Losses:
        chance_B = weight[torch.from_numpy(batch.rows)]
        taken_B = torch.rand(chance_B.shape) < chance_B
        if not taken_B.any():
            taken_B[chance_B.argmax()] = True
        return objective(model, only(batch, taken_B))

    return aged


def only(batch: Batch, taken_B: torch.Tensor) -> Batch:
    """The batch in which these rows alone have answers."""
    targets: dict[str, Mapping[str, torch.Tensor]] = {
        task: {**target, "known": target["known"] & taken_B.to(target["known"].device)}
        for task, target in batch.targets.items()
    }
    return Batch(batch.values, batch.present, targets, batch.rows)  # type: ignore[arg-type]
