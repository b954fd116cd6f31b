"""One step along the signs of the gradient: the fast gradient sign method."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from modalloy.attacks.attack import answering, by_loss, climb
from modalloy.attacks.budget import Budget
from modalloy.attacks.moves import Moves
from modalloy.model.model import Model
from modalloy.model.tokens import Batch


@dataclass(frozen=True)
class FGSM:
    """Goodfellow et al. 2015 (1412.6572); from a drawn start Wong et al. 2020 (2001.03994).

    random: start anywhere within the budget. step: its length in budgets, 1.25 from a drawn start
    in that paper. tasks: those whose answers are attacked, all for None.
    """

    random: bool = False
    step: float = 1.0
    tasks: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """What reports call it."""
        return "FGSM"

    def __call__(
        self, model: Model, batch: Batch, budgets: Sequence[Budget], *, draw: torch.Generator
    ) -> Batch:
        """The rows after one step."""
        moves = Moves.of(model, batch, budgets)
        u_BM = moves.start(draw) if self.random else moves.zero()
        if not moves.any:
            return batch
        with answering(model):
            _, slope_BM = climb(model, moves, u_BM, by_loss(self.tasks))
        u_BM = moves.project(u_BM + self.step * moves.steepest(slope_BM))
        return moves.batch(u_BM, handed=True)
