"""What an attack raises: the loss of each row's answer, its margin or its nearness to an aim."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from modalloy.errors import JobError
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


def margin(model: Model, output: Output, batch: Batch, tasks: Sequence[str] | None = None) -> Harm:
    """The same rows wrong, but by how far the true class is behind the best other one.

    Of labels, how far the first of them is on the wrong side. Other kinds of task as in `harm`.
    """
    names = [n for n in output.tasks if n in batch.targets] if tasks is None else tasks
    parts = []
    for n in names:
        task, target = model.task(n), batch.targets[n]
        plain = harm_of(task, output.tasks[n], target)
        if isinstance(task, Classify):
            behind_B = behind(task, pooled(task, output.tasks[n]), target)
            plain = Harm(torch.where(target["known"], behind_B, 0.0), plain.wrong_B)
        parts.append(plain)
    loss_B = torch.stack([p.loss_B for p in parts]).sum(0)
    return Harm(loss_B, torch.stack([p.wrong_B for p in parts]).any(0))


def behind(task: Classify, logits_BC: Tensor, target: Target) -> Tensor:
    """How far the truth is behind, (B,)."""
    if task.multi:
        side_BC = torch.where(target["y"].bool(), -1.0, 1.0)
        return (side_BC * logits_BC).amax(1)
    true_B1 = target["y"].clamp_min(0)[:, None]
    others_BC = logits_BC.scatter(1, true_B1, -torch.inf)
    return others_BC.amax(1) - logits_BC.gather(1, true_B1)[:, 0]


def aims_of(task: Task, outputs: Outputs, target: Target, most: int) -> list[Tensor]:
    """What each row's answer is to be turned to, one (B,) for each aim, the likeliest first.

    classify: other classes than the true one, at most so many; the labels nearest to being wrong.
    regress: more (1) and less (-1). JobError for a kind of task without aims.
    """
    match task:
        case Classify(multi=True):
            side_BC = torch.where(target["y"].bool(), -1.0, 1.0)
            order_BC = (side_BC * pooled(task, outputs)).argsort(1, descending=True)
            return list(order_BC[:, :most].unbind(1))
        case Classify():
            logits_BC = pooled(task, outputs)
            true_B1 = target["y"].clamp_min(0)[:, None]
            order_BC = logits_BC.scatter(1, true_B1, -torch.inf).argsort(1, descending=True)
            return list(order_BC[:, : min(most, logits_BC.shape[1] - 1)].unbind(1))
        case Regress():
            ones_B = torch.ones_like(outputs["value"][:, 0])
            return [ones_B, -ones_B]
        case _:
            raise JobError(
                f"tasks.{task.name}: a targeted attack needs classes or numbers to aim at; attack "
                "this task by its loss."
            )


def aimed(task: Task, outputs: Outputs, target: Target, aim_B: Tensor) -> Harm:
    """How near each answer is to its aim: the targeted difference of logits ratio (Croce & Hein
    2020, 2003.01690).

    Its divisor needs four classes; with three it is the largest logit less the third, with two and
    for labels 1. regress: how far the number went the way of the aim.
    """
    plain = harm_of(task, outputs, target)
    match task:
        case Classify(multi=True):
            at_B1 = aim_B[:, None]
            side_B = torch.where(target["y"].gather(1, at_B1)[:, 0].bool(), -1.0, 1.0)
            near_B = side_B * pooled(task, outputs).gather(1, at_B1)[:, 0]
        case Classify():
            logits_BC = pooled(task, outputs)
            true_B1 = target["y"].clamp_min(0)[:, None]
            apart_B = (logits_BC.gather(1, aim_B[:, None]) - logits_BC.gather(1, true_B1))[:, 0]
            near_B = apart_B / divisor(logits_BC)
        case _:
            near_B = aim_B * (outputs["value"].mean(1) - target["y"].float())
    return Harm(torch.where(target["known"], near_B, torch.zeros_like(near_B)), plain.wrong_B)


def divisor(logits_BC: Tensor) -> Tensor:
    """What makes a difference of logits independent of their scale, (B,)."""
    if logits_BC.shape[1] < 3:
        return logits_BC.new_ones(len(logits_BC))
    highest_BC = logits_BC.sort(1, descending=True).values
    if logits_BC.shape[1] == 3:
        return highest_BC[:, 0] - highest_BC[:, 2] + 1e-12
    return highest_BC[:, 0] - 0.5 * (highest_BC[:, 2] + highest_BC[:, 3]) + 1e-12


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
