"""What every attack does: the rows of a batch in, the rows as an attacker hands them over out."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple, Protocol, Self

import torch
from torch import Tensor

from modalloy.attacks.budget import Budget
from modalloy.attacks.goal import Harm, harm
from modalloy.attacks.moves import Moves
from modalloy.model.model import Model, Output
from modalloy.model.tokens import Batch


class Attack(Protocol):
    """An attack on the answers of a network; its options are its fields.

    What it returns has the targets, the present cells and the rows of the batch. Every cell lies
    within its column's budget; those of columns without a budget, and missing ones, are as they
    were. The model is left in the mode that it was in, and without gradients. Two calls with equal
    generators hand over the same. JobError where the batch holds kept features of a frozen encoder
    in the place of cells.
    """

    @property
    def name(self) -> str:
        """What reports call it."""

    def __call__(
        self, model: Model, batch: Batch, budgets: Sequence[Budget], *, draw: torch.Generator
    ) -> Batch:
        """The rows as an attacker hands them over."""


class Found(NamedTuple):
    """The worst of what was tried for each row: where it is, and how much harm it does."""

    u_BM: Tensor
    harm: Harm

    def or_worse(self, u_BM: Tensor, other: Harm) -> Self:
        """With the rows of another try that do more harm."""
        worse_B = other.worse(self.harm)
        return type(self)(
            torch.where(worse_B[:, None], u_BM, self.u_BM),
            Harm(
                torch.where(worse_B, other.loss_B, self.harm.loss_B),
                torch.where(worse_B, other.wrong_B, self.harm.wrong_B),
            ),
        )


@contextmanager
def answering(model: Model) -> Iterator[None]:
    """The model as it answers: without dropout, and with gradients through frozen encoders."""
    was, encoders = model.training, list(model.encoders.values())
    model.eval()
    for encoder in encoders:
        encoder.opened = True
    try:
        yield
    finally:
        for encoder in encoders:
            encoder.opened = False
        model.train(was)


Measure = Callable[[Model, Output, Batch], Harm]


def by_loss(tasks: Sequence[str] | None) -> Measure:
    """Harm as the losses of some tasks."""
    return partial(harm, tasks=tasks)


def look(model: Model, batch: Batch, measure: Measure) -> Harm:
    """The harm of a batch, without gradients; inside `answering`."""
    with torch.no_grad():
        return measure(model, model(batch), batch)


def climb(model: Model, moves: Moves, u_BM: Tensor, measure: Measure) -> tuple[Harm, Tensor]:
    """The harm of a move and the gradient of its loss, (B, M); inside `answering`."""
    u_BM = u_BM.detach().requires_grad_()
    with torch.enable_grad():
        batch = moves.batch(u_BM)
        found = measure(model, model(batch), batch)
        (slope_BM,) = torch.autograd.grad(found.loss_B.sum(), u_BM, allow_unused=True)
    slope_BM = torch.zeros_like(u_BM) if slope_BM is None else slope_BM
    return Harm(found.loss_B.detach(), found.wrong_B), slope_BM.nan_to_num(0.0, 0.0, 0.0)


def some(batch: Batch, rows: Tensor) -> Batch:
    """Some rows of a batch, in this order; a row may come again."""
    at = rows.to(next(iter(batch.present.values())).device)
    return Batch(
        {i: {k: v[at] for k, v in values.items()} for i, values in batch.values.items()},
        {i: v[at] for i, v in batch.present.items()},
        {t: {k: v[at] for k, v in values.items()} for t, values in batch.targets.items()},
        batch.rows[rows.cpu().numpy()] if len(batch.rows) else batch.rows,
    )
