"""The options of a task in, its head out."""

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from modalloy.job import config
from modalloy.model.tasks.classify import Classify
from modalloy.model.tasks.locate import Locate
from modalloy.model.tasks.regress import Regress
from modalloy.model.tasks.tag import Tag
from modalloy.model.tasks.task import Task


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
    channels: image column -> widths of its encoder's maps, finest first; only `locate` asks for
    them.
    """
    match options:
        case config.Classify():
            return Classify(name, options, target, width, members, label_smoothing)
        case config.Regress():
            return Regress(name, options, target, width, members)
        case config.Tag():
            return Tag(name, options, target, width, members, label_smoothing)
        case config.Locate():
            return Locate(name, options, target, width, members, channels or {})
        case _:
            assert_never(options)
