"""A linear map as two thinner ones, one after the other."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from modalloy.model.body import Body


class Factored(nn.Module):
    """x -> up(down(x)): `down` gives as many numbers as the rank, `up` holds the bias."""

    def __init__(self, inputs: int, outputs: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Linear(inputs, rank, bias=False)
        self.up = nn.Linear(rank, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        return self.up(self.down(x))


def linear_layers(model: Body) -> dict[str, nn.Linear]:
    """Plain linear layers inside the encoders of a model, by name.

    Those of PyTorch's own attention are left out: it reads weights without asking the layer.
    """
    inner = [n for n, m in model.named_modules() if isinstance(m, nn.MultiheadAttention)]
    return {
        name: module
        for name, module in model.named_modules()
        if type(module) is nn.Linear
        and name.startswith("encoders.")
        and not any(name.startswith(f"{own}.") for own in inner)
    }


def replace_layer(model: nn.Module, name: str, layer: nn.Module) -> None:
    """Put another layer in the place of one, in its mode and on its device."""
    parent, _, own = name.rpartition(".")
    old = model.get_submodule(name)
    device = next(old.parameters()).device
    setattr(model.get_submodule(parent), own, layer.to(device).train(old.training))


@torch.no_grad()
def factor(model: Body, ranks: Mapping[str, int]) -> None:
    """Put factors of these ranks in the place of linear layers; weights come from a file."""
    for name, rank in ranks.items():
        old = linear_layers(model)[name]
        learns = old.weight.requires_grad
        made = Factored(old.in_features, old.out_features, rank)
        replace_layer(model, name, made.requires_grad_(learns))
