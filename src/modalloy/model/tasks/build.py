"""Builds the head that a task's options ask for."""

from collections.abc import Mapping, Sequence
from typing import Any

from modalloy.job import config
from modalloy.model.tasks.task import Task
from modalloy.tasks.kit import kit_of, part


def build_task(
    name: str,
    options: config.TaskOptions,
    target: Any,
    width: int,
    members: int,
    label_smoothing: float,
    channels: Mapping[str, Sequence[int]] | None = None,
) -> Task:
    """The head of one task.

    target: the fitted target reader. width: length of the fused summary. members: of the ensemble.
    channels: every input that it sees tokens of, in the model's order -> widths of its encoder's
    maps, finest first; none where there are no maps. Only `locate` asks for them.
    """
    head: type[Task] = part(kit_of(options).head)
    return head.build(
        name,
        options,
        target,
        width,
        members,
        label_smoothing=label_smoothing,
        channels=channels or {},
    )
