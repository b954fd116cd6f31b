"""All columns at once, whatever their cells are: one attack after the other on the same rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from modalloy.attacks.attack import Attack
from modalloy.attacks.budget import Budget
from modalloy.model.model import Model
from modalloy.model.tokens import Batch


@dataclass(frozen=True)
class Joint:
    """Attacks in turn, each on what the one before handed over, so that names and words change
    before numbers are moved around them. Each moves only what it can, so no column moves twice
    within one budget: attacks that move the same kind of budget do not belong together.
    """

    attacks: tuple[Attack, ...]

    @property
    def name(self) -> str:
        """What reports call it: as its last attack."""
        return self.attacks[-1].name

    def __call__(
        self, model: Model, batch: Batch, budgets: Sequence[Budget], *, draw: torch.Generator
    ) -> Batch:
        """The rows after the last attack."""
        for attack in self.attacks:
            batch = attack(model, batch, budgets, draw=draw)
        return batch
