"""Corruption training: a share of rows as a worse sensor would have seen them, beside the others.

Training on common corruptions (Hendrycks & Dietterich 2019, 1903.12261, have the list for pictures;
Rusak et al. 2020, 2001.06057, the training on noise) holds up where no attacker is at work.
"""

from collections.abc import Callable, Sequence

import torch

from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses, Net, Objective
from modalloy.objectives.lying import Place, mixed
from modalloy.objectives.reach import draw_rows

Corrupt = Callable[[Batch], Batch]  # one column of all rows, corrupted


def corrupting(
    objective: Objective[Net],
    corruptions: Sequence[tuple[Place, Corrupt]],
    *,
    share: float,
) -> Objective[Net]:
    """The objective where one corruption, drawn anew for each batch, changed a share of its rows,
    while the model trains. All chance comes from torch's global generator.
    """

    def corrupted(model: Net, batch: Batch) -> Losses:
        if not model.training or not corruptions:
            return objective(model, batch)
        place, corrupt = corruptions[int(torch.randint(len(corruptions), ()))]
        return objective(model, mixed(batch, corrupt(batch), place, draw_rows(batch, share)))

    return corrupted
