"""Puts a model on this process's accelerator, if it has one."""

from typing import TypeVar

import torch
from torch import nn

Moved = TypeVar("Moved", bound=nn.Module)


def placed(model: Moved) -> Moved:
    """The same model, moved to `device()`: training, evaluation and prediction begin with this."""
    return model.to(device())


def device() -> torch.device:
    """The accelerator of this process, or the processor."""
    return torch.device("cuda") if torch.cuda.is_available() else torch.device("cpu")
