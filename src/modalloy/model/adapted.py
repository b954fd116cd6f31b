"""What a model that is being adapted knows of the parts beside its layers."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from modalloy.job import config


@dataclass(frozen=True)
class Place:
    """A part of a model that is adapted: an encoder's network, or the fusion.

    root: its dotted name in the model. whose: its column, or what it is called. options: how.
    """

    root: str
    whose: str
    options: config.Adapter


@dataclass
class Adapted:
    """How a model differs from the plain one that it was.

    places: what is adapted. layers: names of changed layers, with the rank of each (0 where the
    method has none). learning: parameters that learned before. original: weights of layers that a
    method has changed before any learning, by the layers' names; first: by how much. still: modules
    whose running figures stand. columns: those that were named, of a finished run. worth: of layers
    whose ranks are shared out by a budget, how much they asked for. tuners: by the name of the
    adapter, peft's own objects where they are needed while training.
    """

    places: tuple[Place, ...]
    layers: dict[str, int]
    learning: list[nn.Parameter]
    original: dict[str, Tensor] = field(default_factory=dict)
    first: dict[str, Any] = field(default_factory=dict)
    still: list[nn.Module] = field(default_factory=list)
    columns: tuple[str, ...] | None = None
    worth: dict[str, float] = field(default_factory=dict)
    tuners: dict[str, Any] = field(default_factory=dict)

    def place_of(self, layer: str) -> Place:
        """The part that a layer belongs to."""
        return next(p for p in self.places if inside(layer, p.root))

    @property
    def unread(self) -> frozenset[str]:
        """Frozen weights that no package or folder holds, because the method changed them."""
        return frozenset(f"{layer}.base_layer.weight" for layer in self.original)


def inside(name: str, root: str) -> bool:
    """Whether a dotted name is a module's own or lies in it."""
    return name == root or name.startswith(f"{root}.")
