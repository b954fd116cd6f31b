"""What stands beside a layer as the product of two matrices, whichever method it came from."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

AS_LORA = ("lora", "rslora", "pissa", "adalora")  # methods whose change is such a product


class Parts(NamedTuple):
    """A change of a layer as the product of two matrices, or kernels: `up` after `down`.

    down: (rank, inputs, ...). up: (outputs, rank, ...), with the scale in it.
    """

    down: Tensor
    up: Tensor


def layer_of(model: nn.Module, name: str) -> Any:
    """A layer with a part beside it, as peft made it; types do not know what it has."""
    return model.get_submodule(name)


def product(layer: Any, first: Parts | None) -> Parts:
    """What stands beside a layer as the product of two matrices; directions of no effect left out.

    first: what it began with, where the layer's own weights were changed by as much (PiSSA): the
    change is then the difference of both products, of twice the rank.
    """
    (key,) = layer.scaling
    down, up, scale = layer.lora_A[key], layer.lora_B[key], layer.scaling[key]
    if isinstance(down, nn.Module):
        parts = Parts(down.get_parameter("weight"), up.get_parameter("weight") * scale)
    else:  # AdaLoRA: singular values between them
        values, base = layer.lora_E[key], layer.get_submodule("base_layer")
        kept = (values != 0).squeeze(1)
        down, up = (down * values)[kept], up[:, kept] * scale / (layer.ranknum[key] + 1e-5)
        shape = base.get_parameter("weight").shape[1:]
        parts = Parts(down.unflatten(1, shape), up.view(*up.shape, *(1 for _ in shape[1:])))
    if first is None:
        return parts
    return Parts(torch.cat([parts.down, first.down]), torch.cat([parts.up, -first.up], 1))
