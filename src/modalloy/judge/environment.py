"""What the figures of a model were measured with: versions, device, threads, parameters."""

import platform
from typing import Any

import torch

from modalloy import __version__
from modalloy.machine.limits import cores
from modalloy.model.body import Body


def environment(model: Body) -> dict[str, Any]:
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
