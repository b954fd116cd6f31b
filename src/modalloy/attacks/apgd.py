"""PGD that finds its own step length: halved, from the best point so far, where progress stalls."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from modalloy.attacks.attack import (
    Found,
    Measure,
    answering,
    by_loss,
    climb,
    look,
)
from modalloy.attacks.budget import Budget
from modalloy.attacks.goal import Harm, aimed, aims_of
from modalloy.attacks.moves import Moves
from modalloy.model.model import Model, Output
from modalloy.model.tokens import Batch

MOMENTUM = 0.75  # of the new step, beside that of the one before
RISING = 0.75  # share of steps that must have raised the loss since the last look
FIRST, LEAST, LESS = (
    0.22,
    0.06,
    0.03,
)  # share of all steps until a look, the least, and how it falls


@dataclass(frozen=True)
class APGD:
    """Auto-PGD (Croce & Hein 2020, 2003.01690): APGD-CE by the loss, or APGD-T, targeted.

    Sets of moves with a ball, a text's vectors, take its step along the slope itself. steps, and
    restarts from drawn starts; the first begins there too, as in the authors' code. targeted: once
    for each of at most `aims` other classes by the targeted difference of logits ratio; a number
    once upwards and once downwards. tasks: those attacked, all for None. A row whose class is wrong
    keeps what made it so.
    """

    steps: int = 100
    restarts: int = 1
    targeted: bool = False
    aims: int = 9
    tasks: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """What reports call it."""
        return "APGD-T" if self.targeted else "APGD-CE"

    def __call__(
        self, model: Model, batch: Batch, budgets: Sequence[Budget], *, draw: torch.Generator
    ) -> Batch:
        """The rows after the worst of all restarts and aims."""
        moves = Moves.of(model, batch, budgets)
        if not moves.any:
            return batch
        plain, best = by_loss(self.tasks), None
        with answering(model):
            for measure in self.measures(model, batch):
                for _ in range(self.restarts):
                    u_BM = self.search(model, moves, moves.start(draw), measure)
                    found = look(model, moves.batch(u_BM), plain)
                    best = Found(u_BM, found) if best is None else best.or_worse(u_BM, found)
        assert best is not None, "every task has something to aim at"
        return moves.batch(best.u_BM, handed=True)

    def measures(self, model: Model, batch: Batch) -> list[Measure]:
        """What is raised, one after the other."""
        if not self.targeted:
            return [by_loss(self.tasks)]
        with torch.no_grad():
            output = model(batch)
        names = (
            [n for n in output.tasks if n in batch.targets] if self.tasks is None else self.tasks
        )
        return [
            toward(name, aim_B)
            for name in names
            for aim_B in aims_of(
                model.task(name), output.tasks[name], batch.targets[name], self.aims
            )
        ]

    def search(self, model: Model, moves: Moves, u_BM: Tensor, measure: Measure) -> Tensor:
        """The worst move of each row on the way from a start, (B, M)."""
        found, slope_BM = climb(model, moves, u_BM, measure)
        best = worst = Found(u_BM, found)  # by loss alone; wrong rows first
        best_slope_BM, before_BM = slope_BM, u_BM
        step_B1 = torch.full((len(u_BM), 1), 2.0, device=u_BM.device)
        losses, since = [found.loss_B], 0
        until = max(int(FIRST * self.steps), 1)
        looked_B, halved_B = found.loss_B, torch.ones_like(found.wrong_B)
        for i in range(self.steps):
            last_BM, share = u_BM - before_BM, MOMENTUM if i else 1.0
            ahead_BM = moves.project(u_BM + step_B1 * moves.steepest(slope_BM))
            before_BM = u_BM
            u_BM = moves.project(u_BM + (ahead_BM - u_BM) * share + last_BM * (1 - share))
            found, slope_BM = climb(model, moves, u_BM, measure)
            worst = worst.or_worse(u_BM, found)
            higher_B1 = (found.loss_B > best.harm.loss_B)[:, None]
            best_slope_BM = torch.where(higher_B1, slope_BM, best_slope_BM)
            best = higher(best, u_BM, found)
            losses.append(found.loss_B)
            since += 1
            if since < until:
                continue
            stalled_B = stalls(losses, since) | (~halved_B & (looked_B >= best.harm.loss_B))
            looked_B, halved_B = best.harm.loss_B, stalled_B
            step_B1 = torch.where(stalled_B[:, None], step_B1 / 2, step_B1)
            u_BM = torch.where(stalled_B[:, None], best.u_BM, u_BM)
            slope_BM = torch.where(stalled_B[:, None], best_slope_BM, slope_BM)
            until, since = (
                max(until - max(int(LESS * self.steps), 1), int(LEAST * self.steps), 1),
                0,
            )
            if bool(worst.harm.wrong_B.all()):
                break
        return worst.u_BM


def stalls(losses: list[Tensor], since: int) -> Tensor:
    """Whether too few of the last steps have raised the loss, (B,)."""
    recent = losses[-since - 1 :]
    rises_B = torch.stack([(b > a).float() for a, b in pairwise(recent)]).sum(0)
    return rises_B <= RISING * since


def higher(best: Found, u_BM: Tensor, other: Harm) -> Found:
    """With the rows of another point that have a higher loss."""
    more_B = other.loss_B > best.harm.loss_B
    kept = torch.where(more_B, other.loss_B, best.harm.loss_B)
    wrong_B = torch.where(more_B, other.wrong_B, best.harm.wrong_B)
    return Found(torch.where(more_B[:, None], u_BM, best.u_BM), Harm(kept, wrong_B))


def toward(name: str, aim_B: Tensor) -> Measure:
    """How near the answers of a task are to an aim."""

    def measure(model: Model, output: Output, batch: Batch) -> Harm:
        return aimed(model.task(name), output.tasks[name], batch.targets[name], aim_B)

    return measure
