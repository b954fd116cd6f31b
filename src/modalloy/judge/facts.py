"""The plain facts of a report: tasks, rows, split, environment."""

import platform
from typing import Any

import numpy as np
import torch

from modalloy import __version__
from modalloy.job import config
from modalloy.machine.limits import cores
from modalloy.model.model import Model
from modalloy.table.split import Parts


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


def environment(model: Model) -> dict[str, Any]:
    """What the figures were measured with."""
    return {
        "modalloy": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": model.device.type,
        "threads": cores(),
        "parameters": sum(p.numel() for p in model.parameters()),
        "trained_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }
