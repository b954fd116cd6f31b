"""What the figures of a model were measured with: versions, device, threads, parameters."""

import platform
from typing import Any

import torch

from modalloy import __version__
from modalloy.answer.engine import Engine
from modalloy.answer.torch_engine import TorchEngine
from modalloy.machine.limits import cores
from modalloy.model.body import Body


def environment(network: Body | Engine) -> dict[str, Any]:
    """What the figures were measured with; graphs have no parameters that anybody counts."""
    about = {"modalloy": __version__, "python": platform.python_version()}
    if isinstance(network, Engine) and not isinstance(network, TorchEngine):
        return about | {"network": "graphs of a bundle", "threads": cores()}
    model = network.model if isinstance(network, TorchEngine) else network
    assert isinstance(model, Body)
    return {
        **about,
        "torch": torch.__version__,
        "device": model.device.type,
        "threads": cores(),
        "parameters": sum(p.numel() for p in model.parameters()),
        "trained_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }
