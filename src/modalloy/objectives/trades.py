"""TRADES: answers are to be right, and the same a little beside each row (Zhang et al. 2019,
1901.08573).

The second part needs no answer, so that its weight says what clean accuracy is given for. Between
numbers it is half the squared difference, which is the divergence of two normal distributions of
deviation 1; a row without an answer counts as little as it does elsewhere.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from modalloy.model.model import Model
from modalloy.model.tasks.classify import Classify
from modalloy.model.tasks.regress import Regress
from modalloy.model.tasks.tag import Tag
from modalloy.model.tasks.task import Outputs, Target, Task
from modalloy.model.tokens import Batch
from modalloy.objectives.adversarial import PGD_RATE
from modalloy.objectives.losses import Losses, Objective
from modalloy.objectives.names import task_loss
from modalloy.objectives.reach import ReachOf, climb

NEAR = 0.001  # deviation of the start: at the row itself no way leads up


def trades(
    objective: Objective[Model], reach_of: ReachOf[Model], *, steps: int, beta: float
) -> Objective[Model]:
    """The objective plus beta times how far answers differ from those to rows that were moved to
    where they differ most, found in so many steps; while the model trains.

    Each task's part joins its own loss. Heads other than of `classify`, `regress` and `tag` have no
    such distance: ValueError. All chance comes from torch's global generator.
    """

    def apart(model: Model, batch: Batch) -> Losses:
        losses = objective(model, batch)
        if not model.training:
            return losses
        clean, reach = model(batch).tasks, reach_of(model, batch)
        held = {name: {k: v.detach() for k, v in out.items()} for name, out in clean.items()}

        def between(said: dict[str, Outputs], name: str, other: Outputs) -> Tensor:
            return distance(model.task(name), said[name], other, batch.targets[name])

        def loss_of(other: Batch) -> Tensor:
            found = model(other).tasks
            return torch.stack([between(held, n, out) for n, out in found.items()]).sum()

        none_BM = reach.zero()
        start_BM = reach.project(none_BM + NEAR * torch.randn(none_BM.shape).to(none_BM.device))
        u_BM = climb(loss_of, reach, start_BM, steps=steps, rate=PGD_RATE / steps)
        for name, out in model(reach.batch(u_BM)).tasks.items():
            own = task_loss(name)
            losses[own] = losses[own] + beta * between(clean, name, out)
        return losses

    return apart


def distance(task: Task, said: Outputs, other: Outputs, target: Target) -> Tensor:
    """Mean over known rows of how far two answers of a task lie apart, a scalar.

    Kullback-Leibler divergence of the second from the first: of classes, of each label, of each
    word's tags; half the squared difference of numbers.
    """
    known_B = target["known"]
    match task:
        case Classify():
            kl = of_labels if task.multi else of_classes
            apart_BK = kl(said["logits"], other["logits"])
            return mean_known(apart_BK.mean(1), known_B)
        case Regress():
            apart_BK = 0.5 * (said["value"] - other["value"]).square()
            return mean_known(apart_BK.mean(1), known_B)
        case Tag():
            apart_BW = of_classes(said["logits"], other["logits"]).mean(1)
            return mean_known(apart_BW, said["words"] & known_B.unsqueeze(1))
        case _:
            raise ValueError(f"answers of {type(task).__name__} have no distance")


def of_classes(said: Tensor, other: Tensor) -> Tensor:
    """KL(said || other) of logits over the last dimension."""
    p = said.float().log_softmax(-1)
    q = other.float().log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1)


def of_labels(said: Tensor, other: Tensor) -> Tensor:
    """The same of labels that are each true or not, summed over them."""
    said, other = said.float(), other.float()
    yes = F.logsigmoid(said) - F.logsigmoid(other)
    no = F.logsigmoid(-said) - F.logsigmoid(-other)
    return (said.sigmoid() * yes + (-said).sigmoid() * no).sum(-1)


def mean_known(apart: Tensor, known: Tensor) -> Tensor:
    """Mean over what is known; zero with a gradient path where nothing is."""
    return (apart * known).sum() / known.sum().clamp_min(1)
