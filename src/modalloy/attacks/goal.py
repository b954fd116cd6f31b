"""What an attack raises: the loss of each row's answer, and whether that answer is wrong."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from modalloy.model.model import Model, Output
from modalloy.model.tasks.classify import Classify
from modalloy.model.tasks.regress import Regress
from modalloy.model.tasks.task import Outputs, Target, Task
from modalloy.model.tokens import Batch


class Harm(NamedTuple):
    """How wrong the answers of B rows are.

    loss_B: what an attack raises. wrong_B: whether the answer is another class than the true one,
    or any label; False for other kinds of task, and where the true answer is not known.
    """

    loss_B: Tensor
    wrong_B: Tensor

    def worse(self, other: "Harm") -> Tensor:
        """Where this is worse for the model than the other: wrong before loss, (B,)."""
        same_B = self.wrong_B == other.wrong_B
        higher_B = self.loss_B.detach() > other.loss_B.detach()
        return (self.wrong_B & ~other.wrong_B) | (same_B & higher_B)


def harm(model: Model, output: Output, batch: Batch, tasks: Sequence[str] | None = None) -> Harm:
    """Losses of some tasks together, of all with answers in the batch for None.

    A row is wrong where any of them is.
    """
    names = [n for n in output.tasks if n in batch.targets] if tasks is None else tasks
    parts = [harm_of(model.task(n), output.tasks[n], batch.targets[n]) for n in names]
    assert parts, "an attack needs the true answers of a task"
    loss_B = torch.stack([p.loss_B for p in parts]).sum(0)
    return Harm(loss_B, torch.stack([p.wrong_B for p in parts]).any(0))


def harm_of(task: Task, outputs: Outputs, target: Target) -> Harm:
    """One task's.

    classify: the cross entropy of the mean probability of members, of all labels together where
    there are several, without weights or smoothing. regress: the squared error of the members'
    mean, standardised. Others: their training loss of the row alone.
    """
    known_B = target["known"]
    match task:
        case Classify(multi=True):
            logits_BC = pooled(task, outputs)
            y_BC = target["y"].to(logits_BC.dtype)
            loss = F.binary_cross_entropy_with_logits(logits_BC, y_BC, reduction="none").sum(1)
            wrong_B = ((logits_BC > 0) != target["y"].bool()).any(1)
        case Classify():
            logits_BC = pooled(task, outputs)
            y_B = target["y"].clamp_min(0)
            loss = F.cross_entropy(logits_BC, y_B, reduction="none")
            wrong_B = logits_BC.argmax(1) != y_B
        case Regress():
            loss = (outputs["value"].mean(1) - target["y"].float()) ** 2
            wrong_B = torch.zeros_like(known_B)
        case _:
            loss = row_by_row(task, outputs, target)
            wrong_B = torch.zeros_like(known_B)
    return Harm(torch.where(known_B, loss, torch.zeros_like(loss)), wrong_B & known_B)


def pooled(task: Classify, outputs: Outputs) -> Tensor:
    """Logits (B, C) whose probabilities are the members' mean, as the answer is made."""
    logits_BKC = outputs["logits"].float()
    if logits_BKC.shape[1] == 1:
        return logits_BKC[:, 0]
    if task.multi:
        return torch.logit(logits_BKC.sigmoid().mean(1), eps=1e-6)
    return logits_BKC.log_softmax(-1).logsumexp(1)


def row_by_row(task: Task, outputs: Outputs, target: Target) -> Tensor:
    """The training loss of each row as though it were the only one, (B,)."""
    rows = len(target["known"])
    alone = (
        task.loss(
            {k: v[i : i + 1] for k, v in outputs.items()},
            {k: v[i : i + 1] for k, v in target.items()},
        )
        for i in range(rows)
    )
    return torch.stack([loss.reshape(()) for loss in alone])
