"""Learning from answers: a loss for each task, one for each input's own head, and consistency."""

from torch import Tensor

from modalloy.model.model import Model
from modalloy.model.tasks.task import Target
from modalloy.model.tokens import Batch
from modalloy.objectives.hiding import has_any
from modalloy.objectives.losses import Losses
from modalloy.objectives.names import method_loss, task_loss


def supervised(model: Model, batch: Batch) -> Losses:
    """One loss a task, one a task and input for the auxiliary heads, and consistency if asked for.

    Each is zero where the batch has no answer.
    """
    output, losses = model(batch), Losses()
    for name, out in output.tasks.items():
        task, target = model.task(name), batch.targets[name]
        losses.add(task_loss(name), task.loss(out, target), task.count(out, target), task.least)
    for name, heads in output.auxiliary.items():
        for i, out in heads.items():
            head = model.auxiliary[name][i]
            target = seen_only(batch.targets[name], batch.present[i])
            losses.add(
                task_loss(name, i), head.loss(out, target), head.count(out, target), head.least
            )
    if model.consistency is not None:
        loss = model.consistency(output.summaries, output.fused.summary_BKD.mean(1))
        losses.add(method_loss("consistency"), loss, loss.new_tensor(len(batch.rows)))
    return losses


def seen_only(target: Target, present: Tensor) -> dict[str, Tensor]:
    """Answers of rows that show an input alone: its own head learns from those."""
    return {**target, "known": target["known"] & has_any(present)}
