"""One lying sensor: of some rows of a batch one column's cell is another than it was, while the
answer stays.

Single-source attacks break fusions that trust every column (Yang et al. 2021, Defending Multimodal
Fusion Models against Single-Source Adversaries, CVPR). A sensor that is wired wrongly, worn or
dirty lies as well: so a lie is noise, the cell of another row, or the worst that one step finds
within all that the column may say.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from modalloy.model.tokens import Batch
from modalloy.objectives.adversarial import RATE, attacked
from modalloy.objectives.losses import Losses, Net, Objective
from modalloy.objectives.reach import ReachOf, draw_rows

Lie = Literal["noise", "other", "attack"]


class Place(NamedTuple):
    """Where one column stands in a batch.

    input: its own, or that of the table. tensor, at: the tensor of the table's values that holds it
    and its place there; None where the whole input is the column's. shown: its place in the table's
    `present`.
    """

    input: str
    tensor: str | None = None
    at: int | None = None
    shown: int | None = None


def lying(
    objective: Objective[Net],
    places: Mapping[str, Place],
    *,
    chance: float,
    noise: Callable[[Batch, str], Batch],
    anything: Mapping[str, ReachOf[Net]],
    lies: Sequence[Lie] = ("noise", "other", "attack"),
    base: Objective[Net] | None = None,
) -> Objective[Net]:
    """The objective where one column lies in a share of rows, while the model trains.

    Column and lie are drawn anew for each batch. places: columns that may lie; of one alone nothing
    could be answered, and it never lies. chance: of a row. noise: the batch with all cells of one
    column as noise. anything: by column, all that it may say, for a lie that is an attack; without
    an entry it is another row's cell instead. base: what such an attack raises and its batch then
    teaches, where the objective attacks rows of its own: one attack a batch is enough. All chance
    comes from torch's global generator.
    """
    columns, plain = list(places), base or objective

    def lied(model: Net, batch: Batch) -> Losses:
        if not model.training or len(columns) < 2:
            return objective(model, batch)
        column = columns[int(torch.randint(len(columns), ()))]
        lie = lies[int(torch.randint(len(lies), ()))]
        rows_B = draw_rows(batch, chance)
        if lie == "attack" and column in anything:
            given = (plain, model, batch, anything[column])
            return plain(model, attacked(*given, 1, RATE, rows_B))
        if lie == "noise":
            other = noise(batch, column)
        else:
            other = reordered(batch, torch.randperm(len(batch)))
        return objective(model, mixed(batch, other, places[column], rows_B))

    return lied


def mixed(batch: Batch, other: Batch, place: Place, rows_B: Tensor) -> Batch:
    """The batch where one column of some rows is as in another batch of as many rows, missing where
    it is missing there.
    """
    values = {name: dict(own) for name, own in batch.values.items()}
    present = dict(batch.present)
    own, told = values[place.input], other.values[place.input]
    for name in list(own) if place.tensor is None else [place.tensor]:
        own[name] = taken(own[name], told[name], rows_B, place.at)
    shown = present[place.input]
    present[place.input] = taken(shown, other.present[place.input], rows_B, place.shown)
    return Batch(values, present, batch.targets, batch.rows)


def taken(x: Tensor, other: Tensor, rows_B: Tensor, at: int | None) -> Tensor:
    """A tensor of which some rows, or one column of them, are another one's."""
    if at is None:
        return torch.where(rows_B.reshape(-1, *(1 for _ in x.shape[1:])), other, x)
    out = x.clone()
    out[:, at] = torch.where(rows_B.reshape(-1, *(1 for _ in x.shape[2:])), other[:, at], x[:, at])
    return out


def reordered(batch: Batch, order: Tensor) -> Batch:
    """The inputs of a batch in another order of rows; answers stay in theirs."""
    return Batch(
        {i: {n: v[order.to(v.device)] for n, v in own.items()} for i, own in batch.values.items()},
        {i: p[order.to(p.device)] for i, p in batch.present.items()},
        batch.targets,
        batch.rows,
    )
