"""Learning to answer as another model does, from rows whose answers nobody knows.

Hinton et al. 2015 (1503.02531): classes by the divergence of softened probabilities, here also of
single labels and of each word's tags. Numbers by squared difference, as between normal
distributions of deviation 1. Boxes of heat maps by the divergence of each cell's heat (Bernoulli)
and the relative difference of sides where the teacher sees something; sets of boxes by what the
teacher is sure of, as truth. And, as Jiao et al. 2020 (1909.10351) do layer by layer, by what
becomes of each input on the way: its summary, and that of the row, in units of the teacher's own
spread. Heads that write texts are taught by these summaries alone.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from modalloy.model.model import Model, Output
from modalloy.model.tasks.classify import Classify
from modalloy.model.tasks.detr import Detr, TakenDetr
from modalloy.model.tasks.generate import Generate
from modalloy.model.tasks.locate import Locate
from modalloy.model.tasks.matching import set_loss
from modalloy.model.tasks.regress import Regress
from modalloy.model.tasks.tag import Tag
from modalloy.model.tasks.task import Outputs, Task
from modalloy.model.tokens import Batch
from modalloy.objectives.hiding import has_any
from modalloy.objectives.losses import Losses, Objective
from modalloy.objectives.names import method_loss, task_loss
from modalloy.objectives.trades import mean_known, of_classes, of_labels

Apart = Callable[[Tensor, Tensor], Tensor]  # logits of both in, how far apart without their last
SURE = 0.5  # chance from which on a box of the teacher's set is taken for true
SIDES = 1.0  # what the sides of boxes count beside their heat


def distilling(
    teacher: Model, *, temperature: float = 2.0, summaries: float = 1.0
) -> Objective[Model]:
    """How far the answers of a model lie from the teacher's, a loss a task; and how far its
    summaries do, `distil/INPUT` and, of the whole row, `distil`.

    The teacher is asked in evaluation mode about the very same rows. temperature: that logits are
    divided by; losses are multiplied by its square, so that gradients stay as large. summaries:
    what these losses count; 0 leaves them out. Answers in the batch are never looked at.
    """

    def apart(model: Model, batch: Batch) -> Losses:
        batch = replace(batch, targets={})
        asked = [n for n, task in model.tasks.items() if not isinstance(task, Generate)]
        with torch.no_grad():
            goal = teacher.eval()(batch, asked)
        found, losses = model(batch, asked), Losses()
        rows = torch.ones(len(batch), dtype=torch.bool, device=model.device)
        for name, out in found.tasks.items():
            loss = distance(model.task(name), goal.tasks[name], out, temperature)
            losses.add(task_loss(name), loss, rows.sum())
        if summaries:
            add_summaries(losses, goal, found, batch, summaries)
        return losses

    return apart


def add_summaries(losses: Losses, goal: Output, found: Output, batch: Batch, weight: float) -> None:
    """The losses of what becomes of each input, over rows that show it, and of the whole row."""
    for name, said_BD in found.summaries.items():
        seen_B = has_any(batch.present[name])
        loss = weight * relative(said_BD, goal.summaries[name], seen_B)
        losses.add(method_loss("distil", name), loss, seen_B.sum())
    fused_BD, wanted_BD = found.fused.summary_BKD.flatten(1), goal.fused.summary_BKD.flatten(1)
    every_B = torch.ones(len(fused_BD), dtype=torch.bool, device=fused_BD.device)
    losses.add(
        method_loss("distil"), weight * relative(fused_BD, wanted_BD, every_B), every_B.sum()
    )


def relative(said_BD: Tensor, goal_BD: Tensor, seen_B: Tensor) -> Tensor:
    """Mean squared difference of the rows that are seen, over the mean variance of the goal: 1 for
    the goal's mean. Of a single row over its mean square.
    """
    said, goal = said_BD.float()[seen_B], goal_BD.float()[seen_B]
    if not len(goal):
        return said.sum()
    spread = goal.var(0, correction=0).mean() if len(goal) > 1 else goal.square().mean()
    return (said - goal).square().mean() / spread.clamp_min(1e-6)


def distance(task: Task, goal: Outputs, said: Outputs, temperature: float) -> Tensor:
    """Mean over rows of how far a task's raw outputs lie from the teacher's, a scalar."""
    match task:
        case Classify():
            apart = of_labels if task.multi else of_classes
            return softened(apart, goal["logits"], said["logits"], temperature).mean()
        case Regress():
            return torch.stack([half_square(goal[k], said[k]) for k in said]).sum()
        case Tag():
            apart_BW = softened(of_classes, goal["logits"], said["logits"], temperature).mean(1)
            return mean_known(apart_BW, said["words"])
        case TakenDetr():
            return of_sets(goal, said)
        case Detr():
            return of_sets(goal, said) + of_maps(goal, said)
        case Locate():
            return of_maps(goal, said)
        case _:
            raise AssertionError(f"{type(task).__name__} is not asked")


def softened(apart: Apart, goal: Tensor, said: Tensor, temperature: float) -> Tensor:
    """A divergence of logits over a temperature, times its square."""
    return temperature**2 * apart(goal / temperature, said / temperature)


def half_square(goal: Tensor, said: Tensor) -> Tensor:
    """Mean of half the squared difference."""
    return 0.5 * (said - goal).square().mean()


def of_maps(goal: Outputs, said: Outputs) -> Tensor:
    """Divergence of the heat of all cells, over the heat that the teacher sees; and the difference
    of the sides' logarithms, mean over cells by their heat. Of rows that show their picture.
    """
    seen_B = goal["seen"]
    hot_NCHW, heat_NCHW = goal["heat"][seen_B], said["heat"][seen_B]
    if not len(hot_NCHW):
        return said["heat"].sum() + said["sides"].sum()
    apart = of_labels(hot_NCHW.flatten(1), heat_NCHW.flatten(1)).sum()
    weight_N1HW = hot_NCHW.sigmoid().amax(1, keepdim=True)
    total = weight_N1HW.sum().clamp_min(1.0)
    wide = (said["sides"][seen_B].log() - goal["sides"][seen_B].log()).abs()
    return apart / total + SIDES * (wide * weight_N1HW).sum() / (4 * total)


def of_sets(goal: Outputs, said: Outputs) -> Tensor:
    """The loss of a set of queries, a box, whose truth is what the teacher is sure of."""
    seen_B = goal["seen"]
    if not seen_B.any():
        return said["logits"].sum() + said["boxes"].sum()
    chance_NQC = goal["logits"][seen_B].softmax(-1)[..., :-1]
    sure_NQ, class_NQ = chance_NQC.max(-1)
    boxes_NQ4 = goal["boxes"][seen_B]
    truth = [
        (boxes[sure >= SURE], kind[sure >= SURE])
        for boxes, kind, sure in zip(boxes_NQ4, class_NQ, sure_NQ, strict=True)
    ]
    layers = [(said["logits"][seen_B], said["boxes"][seen_B])]
    if "early_logits" in said:
        early = said["early_logits"][seen_B], said["early_boxes"][seen_B]
        layers += zip(*(x.unbind(1) for x in early), strict=True)
    boxes = sum(len(kinds) for _, kinds in truth)
    return torch.stack([set_loss(*layer, truth) for layer in layers]).sum() / max(1, boxes)
