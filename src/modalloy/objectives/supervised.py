"""A labelled batch in, one named loss a task out, and one a modality's own head."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from modalloy.model.model import Model, essential_inputs
from modalloy.model.tokens import Batch
from modalloy.readers.batch import TABLE


class Name(NamedTuple):
    """What a loss is of: a task, a task's own head for one input, or (no task) consistency."""

    task: str | None
    input: str | None = None


class Losses(dict[Name, Tensor]):
    """Mean losses by name; `counts` says over how much each is a mean: (things, least divisor)."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[Name, tuple[Tensor, float]] = {}

    def add(self, name: Name, mean: Tensor, count: Tensor, least: float = 0.0) -> None:
        """One more loss."""
        self[name], self.counts[name] = mean, (count, least)


CONSISTENCY = Name(None)
Objective = Callable[[Model, Batch], Losses]


def supervised(model: Model, batch: Batch) -> Losses:
    """One loss a task, one a task and input for the auxiliary heads, and consistency if asked for.

    Each is zero where the batch has no answer. While training, modalities are hidden at random
    first (modality dropout).
    """
    if model.training:
        batch = drop_modalities(model, batch)
    output, losses = model(batch), Losses()
    for name, out in output.tasks.items():
        task = model.task(name)
        losses.add(Name(name), task.loss(out, batch), task.count(out, batch), task.least)
    for name, heads in output.auxiliary.items():
        for i, out in heads.items():
            head, seen = model.auxiliary[name][i], seen_only(batch, name, i)
            losses.add(Name(name, i), head.loss(out, seen), head.count(out, seen), head.least)
    if model.consistency is not None:
        loss = model.consistency(output.summaries, output.fused.summary_BKD.mean(1))
        losses.add(CONSISTENCY, loss, loss.new_tensor(len(batch.rows)))
    return losses


def drop_modalities(model: Model, batch: Batch) -> Batch:
    """Hide each modality of a row with chance `modality_dropout`, never all that the row has.

    Single plain cells, and the only modality of a job, are hidden a fifth as often (that one even
    wholly), so that the answer to a missing cell is learned even where training rows lack none.
    Inputs that a tag or locate task works on stay.
    """
    chance = model.job.fuse.modality_dropout
    free = [i for i in model.inputs if i not in essential_inputs(model.job)]
    if not chance or not free:
        return batch
    any_BM = torch.stack([has_any(batch.present[i]) for i in model.inputs], 1)
    rate = chance if len(model.inputs) > 1 else chance / 5
    hide_BM = torch.rand(any_BM.shape) < rate
    hide_BM[:, [i not in free for i in model.inputs]] = False
    hide_BM = hide_BM.to(any_BM.device)
    if len(model.inputs) > 1:  # a row keeps all it has rather than lose everything
        hide_BM &= (any_BM & ~hide_BM).any(1, keepdim=True)
    present = dict(batch.present)
    for m, name in enumerate(model.inputs):
        hide_B = hide_BM[:, m]
        if name == TABLE:
            cells = torch.rand(present[name].shape).to(hide_B.device) < chance / 5
            present[name] = present[name] & ~hide_B.unsqueeze(1) & ~cells
        else:
            present[name] = present[name] & ~hide_B
    if len(model.inputs) > 1 and TABLE in present:  # the cells hidden may have been all it had
        left_BM = torch.stack([has_any(present[i]) for i in model.inputs], 1)
        lost_B1 = any_BM.any(1, keepdim=True) & ~left_BM.any(1, keepdim=True)
        present[TABLE] = torch.where(lost_B1, batch.present[TABLE], present[TABLE])
    return Batch(batch.values, present, batch.targets, batch.rows)


def seen_only(batch: Batch, task: str, name: str) -> Batch:
    """The batch with labels only on rows that show this input: its own head learns from those."""
    target = dict(batch.targets[task])
    target["known"] = target["known"] & has_any(batch.present[name])
    return Batch(batch.values, batch.present, {**batch.targets, task: target}, batch.rows)


def has_any(present: Tensor) -> Tensor:
    """(B,) whether a row shows anything of an input."""
    return present.any(1) if present.ndim > 1 else present
