"""Which layers of a network a method can stand beside, found by what they are and not by name.

Names differ by architecture and by version. Attention is known by three linear maps side by side
whose names begin with q, k and v, as everybody calls queries, keys and values.
"""

from collections.abc import Iterator
from typing import NamedTuple

from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.adapted import Place

CONVOLUTIONS = nn.Conv1d | nn.Conv2d
NORMS = nn.LayerNorm | nn.GroupNorm | nn.RMSNorm | nn.BatchNorm1d | nn.BatchNorm2d
RANKED = ("lora", "rslora", "dora", "pissa", "adalora", "vera")
USUAL_RANK = {"vera": 64}  # of random directions that all layers share more are needed
RANK = 8


class Found(NamedTuple):
    """A layer that a method can stand beside.

    rank: the most that it can have. down: it narrows, the second map of a feed-forward pair.
    """

    name: str
    layer: nn.Module
    rank: int
    down: bool = False


def layers_of(model: nn.Module, place: Place) -> list[Found]:
    """The layers of a place that its method stands beside, in the order of the network.

    JobError where there is none, with what the method takes.
    """
    root, method = model.get_submodule(place.root), place.options.method
    every = [found for found in layers_in(root, place.root) if takes(method, found.layer)]
    chosen = every
    if place.options.layers == "attention" and method != "layernorm":
        wanted = ("k", "v") if method == "ia3" else ("q", "v")
        names = {n for n in attention(root, place.root, wanted)}
        also = [f for f in every if f.down] if method == "ia3" and names else []
        chosen = [f for f in every if f.name in names or f in also] or every
    if not chosen:
        what, has = type(root).__name__, listed_kinds(root)
        raise JobError(
            f"{place.whose}: {method} stands beside {TAKES[method]}, and its network ({what}: {has}"
            f") has none that it can take; use {ELSE[method]}, or leave it as it is"
        )
    return chosen


def layers_in(root: nn.Module, name: str) -> Iterator[Found]:
    """Linear maps, convolutions and norms of a network, but for those whose weights are made of
    others while it runs (weight norm)."""
    for path, module in root.named_modules(prefix=name):
        if isinstance(module, nn.Linear | CONVOLUTIONS | NORMS) and not is_parametrized(module):
            yield Found(path, module, most_of(module), narrows(module))


def takes(method: str, layer: nn.Module) -> bool:
    """Whether a method can stand beside a layer.

    Of convolutions that part their channels (depthwise) or reach over gaps (dilated), peft's LoRA
    cannot be merged or computes another map, so they are left as they are.
    """
    plain = isinstance(layer, CONVOLUTIONS) and layer.groups == 1 and layer.padding_mode == "zeros"
    dilated = isinstance(layer, CONVOLUTIONS) and max(layer.dilation) > 1
    match method:
        case "lora" | "rslora" | "dora":
            return isinstance(layer, nn.Linear) or (plain and not dilated)
        case "adalora":
            return isinstance(layer, nn.Linear) or (plain and isinstance(layer, nn.Conv2d))
        case "ia3":
            return isinstance(layer, nn.Linear | nn.Conv2d)
        case "pissa" | "vera":
            return isinstance(layer, nn.Linear)
        case "layernorm":
            return isinstance(layer, NORMS) and any(True for _ in layer.parameters())
        case _:
            raise AssertionError(method)


TAKES = {
    "lora": "linear and plain convolution layers",
    "rslora": "linear and plain convolution layers",
    "dora": "linear and plain convolution layers",
    "adalora": "linear and plain two-dimensional convolution layers",
    "ia3": "linear and two-dimensional convolution layers",
    "pissa": "linear layers",
    "vera": "linear layers",
    "layernorm": "norms that learn",
}
ELSE = {m: "lora" if m not in ("lora", "rslora", "dora") else "full" for m in TAKES}


def most_of(layer: nn.Module) -> int:
    """The largest rank that a change of a layer can have; 0 of a norm."""
    match layer:
        case nn.Linear():
            return min(layer.in_features, layer.out_features)
        case nn.Conv1d() | nn.Conv2d():
            return min(layer.weight[0].numel(), layer.out_channels)
        case _:
            return 0


def narrows(layer: nn.Module) -> bool:
    """Whether a linear map gives fewer numbers than it takes."""
    return isinstance(layer, nn.Linear) and layer.out_features < layer.in_features


def attention(root: nn.Module, name: str, wanted: tuple[str, ...]) -> Iterator[str]:
    """Names of the queries (q), keys (k) or values (v) of every attention in a network."""
    for path, module in root.named_modules(prefix=name):
        linear = [n for n, child in module.named_children() if isinstance(child, nn.Linear)]
        if {"q", "k", "v"} <= {n[0] for n in linear}:
            yield from (f"{path}.{n}" for n in linear if n[0] in wanted)


def ranks_of(place: Place, found: list[Found]) -> dict[str, int]:
    """The rank of each layer: as asked for, at most what the layer can have.

    JobError where every layer has less than what is asked for.
    """
    options = place.options
    if options.method not in RANKED:
        return {f.name: 0 for f in found}
    most = max(f.rank for f in found)
    if options.rank is not None and options.rank > most:
        raise JobError(
            f"{place.whose}: rank {options.rank} is above the layers that {options.method} stands "
            f"beside, of which the largest has {most}; ask for at most that many"
        )
    rank = options.rank or USUAL_RANK.get(options.method, RANK)
    return {f.name: min(rank, f.rank) for f in found}


def listed_kinds(root: nn.Module) -> str:
    """Kinds of layers of a network, as in `52 Conv2d, 2 Linear`."""
    kinds = [type(m).__name__ for m in root.modules() if any(True for _ in m.parameters(False))]
    return ", ".join(f"{kinds.count(k)} {k}" for k in dict.fromkeys(kinds)) or "no layers"


def column_options(given: config.Beside, tune: str) -> config.Adapter:
    """Options of a column or the fusion of a job, as `attach` takes them."""
    return config.Adapter.model_validate({**given.model_dump(), "method": tune})
