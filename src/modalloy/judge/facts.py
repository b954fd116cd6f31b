"""The plain facts of a report, of its job and its rows: tasks, rows by use, the split."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from modalloy.job import config
from modalloy.judge.metrics.score import measure_of, primary
from modalloy.table.split import Parts


def about(
    options: config.TaskOptions, truth: Sequence[Any], names: Sequence[str] | None = None
) -> dict[str, Any]:
    """What a task asks, for the page; `rarer` is the class that average precision is about.
    `classes`: how many of these rows have each class; None where the task has none.
    """
    return {
        "type": options.type,
        "target": options.target,
        "unit": getattr(options, "unit", None),
        "scale": getattr(options, "scale", None),
        "primary": primary(options)[0],
        "rows": sum(t is not None for t in truth),
        "quantiles": list(getattr(options, "quantiles", ())),
        **measure_of(options).about(options, truth, names or ()),
    }


def rows_by_use(parts: Parts | None, which: np.ndarray, refit: bool) -> dict[str, int]:
    """How many rows were learned from, chosen with and tested on.

    `validation`, or `refit` where these rows were learned from in the end.
    """
    if parts is None:
        return {"test": len(which)}
    chosen = "refit" if refit else "validation"
    rows = {"train": len(parts.train), chosen: len(parts.validation), "test": len(parts.test)}
    return rows | ({"calibration": len(parts.calibration)} if len(parts.calibration) else {})


def say_split(split: config.Split) -> str:
    """One sentence on how the test rows were kept apart."""
    if split.hold_out:
        return f"rows whose {split.by} is {', '.join(split.hold_out)} were never seen in training"
    if split.column:
        return f"as the column '{split.column}' says"
    if split.by:
        return f"no {split.by} has rows on both sides"
    if split.time:
        return f"the newest rows by '{split.time}' are the test rows"
    return "rows drawn at random: honest only if rows are independent of each other"
