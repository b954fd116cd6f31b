"""Modality dropout: hides inputs and cells of a batch at random, around any objective.

What is hidden is drawn once, as a value, and may be laid over several batches of the same rows: two
passes over differently augmented rows then see the same mask.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses, Net, Objective
from modalloy.readers.batch import TABLE


class Hidden(NamedTuple):
    """Which cells of which rows are hidden: input -> bool, (B,), or (B, N) for `TABLE`.

    An input that is not named stays as it is.
    """

    cells: Mapping[str, Tensor]

    def apply(self, batch: Batch) -> Batch:
        """The batch without these cells; values, answers and row numbers stay."""
        present = {
            name: seen & ~self.cells[name] if name in self.cells else seen
            for name, seen in batch.present.items()
        }
        return Batch(batch.values, present, batch.targets, batch.rows)


def hiding(objective: Objective[Net], *, chance: float, keep: Collection[str]) -> Objective[Net]:
    """The objective on batches of which `draw_hidden` hides something, while the model trains."""

    def hidden(model: Net, batch: Batch) -> Losses:
        if not model.training:
            return objective(model, batch)
        return objective(model, draw_hidden(batch, chance=chance, keep=keep).apply(batch))

    return hidden


def draw_hidden(batch: Batch, *, chance: float, keep: Collection[str]) -> Hidden:
    """Hide each input of a row with this chance, never all that the row has.

    Single plain cells, and the only input of a batch, are hidden a fifth as often (that one even
    wholly), so that the answer to a missing cell is learned even where training rows lack none.
    keep: inputs that are never hidden. All chance comes from torch's global generator.
    """
    inputs = list(batch.present)
    free = [i for i in inputs if i not in keep]
    if not chance or not free:
        return Hidden({})
    any_BM = torch.stack([has_any(batch.present[i]) for i in inputs], 1)
    rate = chance if len(inputs) > 1 else chance / 5
    hide_BM = torch.rand(any_BM.shape) < rate
    hide_BM[:, [i not in free for i in inputs]] = False
    hide_BM = hide_BM.to(any_BM.device)
    if len(inputs) > 1:  # a row keeps all it has rather than lose everything
        hide_BM &= (any_BM & ~hide_BM).any(1, keepdim=True)
    cells = dict(zip(inputs, hide_BM.unbind(1), strict=True))
    if TABLE in cells:
        hide_B1, shape = cells[TABLE].unsqueeze(1), batch.present[TABLE].shape
        cells[TABLE] = hide_B1 | (torch.rand(shape).to(hide_B1.device) < chance / 5)
    if len(inputs) > 1 and TABLE in cells:  # the cells hidden may have been all it had
        left = Hidden(cells).apply(batch).present
        left_B1 = torch.stack([has_any(left[i]) for i in inputs], 1).any(1, keepdim=True)
        cells[TABLE] = cells[TABLE] & (left_B1 | ~any_BM.any(1, keepdim=True))
    return Hidden(cells)


def has_any(present: Tensor) -> Tensor:
    """(B,) whether a row shows anything of an input."""
    return present.any(1) if present.ndim > 1 else present
