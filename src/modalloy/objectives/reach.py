"""How far an attacker may move a batch, as objectives see it, and steps up a loss in there."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Losses, Net
from modalloy.objectives.names import read_name


class Reach(Protocol):
    """All that an attacker may make of the rows of one batch.

    A move is one tensor u_BM: the M numbers of each row that can be moved, each in units of how far
    it may go. `attacks/moves.py` has it of any batch and budgets.
    """

    def zero(self) -> Tensor:
        """The rows as they are, (B, M) zeros."""

    def start(self, draw: torch.Generator) -> Tensor:
        """A move drawn from all of them."""

    def project(self, u_BM: Tensor, /) -> Tensor:
        """The nearest move that is allowed."""

    def steepest(self, slope_BM: Tensor, /) -> Tensor:
        """The way of length 1 in which a loss with this gradient rises fastest."""

    def batch(self, u_BM: Tensor, /) -> Batch:
        """The rows after a move, with a gradient."""


ReachOf = Callable[[Net, Batch], Reach]


def climb(
    loss_of: Callable[[Batch], Tensor],
    reach: Reach,
    u_BM: Tensor,
    *,
    steps: int,
    rate: float,
    only_B: Tensor | None = None,
) -> Tensor:
    """A move after so many steps up the gradient of a loss; no weight gets a gradient.

    rate: length of a step. only_B: rows that may be moved, all for None.
    """
    for _ in range(steps):
        u_BM = u_BM.detach().requires_grad_()
        loss = loss_of(reach.batch(some(u_BM, only_B)))
        u_BM = uphill(loss, reach, u_BM, rate)
    return some(u_BM.detach(), only_B)


def uphill(loss: Tensor, reach: Reach, u_BM: Tensor, rate: float, *, keep: bool = False) -> Tensor:
    """A move after one step up the gradient of a loss of it. keep: its graph is needed again."""
    if not loss.requires_grad:
        return u_BM.detach()
    (slope_BM,) = torch.autograd.grad(loss, u_BM, retain_graph=keep, allow_unused=True)
    if slope_BM is None:  # nothing that the loss depends on can be moved
        return u_BM.detach()
    return reach.project(u_BM.detach() + rate * reach.steepest(slope_BM.nan_to_num(0.0, 0.0, 0.0)))


def some(u_BM: Tensor, only_B: Tensor | None) -> Tensor:
    """A move of these rows alone."""
    return u_BM if only_B is None else u_BM * only_B[:, None]


def of_tasks(losses: Losses) -> Tensor:
    """What an attacker makes larger: the losses of the tasks' answers together, own heads of single
    inputs and methods left out."""
    own = [loss for name, loss in losses.items() if is_answer(name)]
    return torch.stack(own).sum()


def is_answer(name: str) -> bool:
    """Whether a loss of this name is of a task's answer."""
    task, _, inputs = read_name(name)
    return task is not None and not inputs


def draw_rows(batch: Batch, share: float) -> Tensor:
    """(B,) bool, True with this chance, from torch's global generator."""
    device = next(iter(batch.present.values())).device
    return (torch.rand(len(batch)) < share).to(device)
