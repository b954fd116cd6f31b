"""Many steps along the signs of the gradient, back into the budget after each."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from modalloy.attacks.attack import Found, answering, by_loss, climb, look
from modalloy.attacks.budget import Budget
from modalloy.attacks.moves import Moves
from modalloy.model.model import Model
from modalloy.model.tokens import Batch


@dataclass(frozen=True)
class PGD:
    """Projected gradient descent (Madry et al. 2018, 1706.06083), and its worst iterate a row.

    With a text's vectors among what is moved it is the attack inside FreeLB (Zhu et al. 2020,
    1909.11764): each step has the length of the slope of the whole text.

    steps: of length `step`, in budgets; 2.5 / steps for None. restarts: drawn starts; one alone
    begins at the rows as they are where `random` is off. worst: hand over the worst iterate of each
    row, which costs one more pass; else the last one. tasks: those attacked, all for None.
    """

    steps: int = 20
    step: float | None = None
    restarts: int = 1
    random: bool = True
    worst: bool = True
    tasks: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"PGD-{self.steps}"

    def __call__(
        self, model: Model, batch: Batch, budgets: Sequence[Budget], *, draw: torch.Generator
    ) -> Batch:
        """The rows after the worst of all restarts."""
        moves = Moves.of(model, batch, budgets)
        if not moves.any:
            return batch
        with answering(model):
            u_BM = self.search(model, moves, draw)
        return moves.batch(u_BM, handed=True)

    def search(self, model: Model, moves: Moves, draw: torch.Generator) -> torch.Tensor:
        """The move of each row, (B, M)."""
        measure = by_loss(self.tasks)
        length = 2.5 / self.steps if self.step is None else self.step
        best: Found | None = None
        for _ in range(self.restarts):
            u_BM = moves.start(draw) if self.random else moves.zero()
            for _ in range(self.steps):
                found, slope_BM = climb(model, moves, u_BM, measure)
                if self.worst:
                    best = Found(u_BM, found) if best is None else best.or_worse(u_BM, found)
                u_BM = moves.project(u_BM + length * moves.steepest(slope_BM))
            if not self.worst and self.restarts == 1:
                return u_BM
            found = look(model, moves.batch(u_BM), measure)
            best = Found(u_BM, found) if best is None else best.or_worse(u_BM, found)
        assert best is not None, "restarts is at least 1"
        return best.u_BM
