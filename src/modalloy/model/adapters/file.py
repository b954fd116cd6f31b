"""An adapter as one small file: what was learned beside the layers, and the heads; it names the run
that it belongs to by the hash of its weights.

Numbers are kept in 16 bits (float16): half the size, and ten binary digits are far finer than what
training leaves undecided. A method whose parts only mean something together with weights that it
has changed (PiSSA) or that are mostly zero (AdaLoRA) is kept as the LoRA of the same change.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from modalloy.errors import RunError
from modalloy.job import config
from modalloy.model.adapted import Adapted
from modalloy.model.adapters.attach import BESIDE, attach, is_head
from modalloy.model.adapters.product import AS_LORA, layer_of, product
from modalloy.model.model import Model

FORMAT = 1


def adapter_to_bytes(model: Model, *, base: str, name: str) -> bytes:
    """What an attached model has learned, as safetensors with metadata.

    base: sha256 of the `model.safetensors` of the run that it was attached to. name: its own.
    """
    adapted = model.adapted
    assert adapted is not None, "nothing is attached"
    options = options_of(adapted)
    tensors = dict(learned(model, adapted))
    told = {
        "format": FORMAT,
        "name": name,
        "base": base,
        "options": options.model_dump(mode="json"),
        "columns": adapted.columns,
        "ranks": {n.removesuffix(".A"): len(t) for n, t in tensors.items() if n.endswith(".A")},
    }
    return save({n: short(t) for n, t in tensors.items()}, {"adapter": json.dumps(told)})


def options_of(adapted: Adapted) -> config.Adapter:
    """How a model was attached."""
    return adapted.places[0].options if adapted.places else config.Adapter(method="head")


def short(t: Tensor) -> Tensor:
    """In 16 bits, where that holds every number."""
    t = t.detach().cpu().contiguous().clone()
    small = t.half() if t.is_floating_point() else t
    return small if small.isfinite().all() else t


def learned(model: Model, adapted: Adapted) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of a file by its name there."""
    for name, t in model.state_dict().items():
        if is_head(model, name):
            yield name, t
    method = options_of(adapted).method
    if method not in BESIDE:
        yield from changed(model, everything=method == "full")
        return
    for name in adapted.layers:
        layer = layer_of(model, name)
        if method in AS_LORA:
            parts = product(layer, adapted.first.get(name))
            if len(parts.down):
                yield f"{name}.A", parts.down
                yield f"{name}.B", parts.up
            continue
        if method == "dora":
            parts = product(layer, None)
            yield f"{name}.A", parts.down
            yield f"{name}.B", parts.up
        for path, t in values_of(layer):
            yield f"{name}.{path}", t
    if method == "vera":
        yield from shared_by_all(model.get_submodule(next(iter(adapted.layers))))


def changed(model: Model, *, everything: bool) -> Iterator[tuple[str, Tensor]]:
    """Weights beside the heads that learn where nothing stands beside layers."""
    learning = {n for n, p in model.named_parameters() if p.requires_grad}
    for name, t in model.state_dict().items():
        if not is_head(model, name) and (everything or name in learning):
            yield name, t


def values_of(layer: Any) -> Iterator[tuple[str, Tensor]]:
    """What a layer's part holds beside two matrices, by a name that knows nothing of peft's."""
    for kind in ("lora_magnitude_vector", "ia3_l", "vera_lambda_b", "vera_lambda_d"):
        for held in getattr(layer, kind, {}).values():
            yield kind, held.get_parameter("weight") if isinstance(held, nn.Module) else held
    for held in getattr(layer, "ln_tuning_layers", {}).values():
        yield from held.named_parameters()


def shared_by_all(layer: Any) -> Iterator[tuple[str, Tensor]]:
    """VeRA's two random matrices, which every layer takes its part of."""
    for kind in ("vera_A", "vera_B"):
        for held in getattr(layer, kind, {}).values():
            yield kind, held


@torch.no_grad()
def take_adapter(model: Model, data: bytes, *, base: str) -> None:
    """Attach what a file holds to the model of the run that it belongs to; merge it, or go on.

    base: sha256 of that run's `model.safetensors`. RunError for a file of another run, one that is
    no adapter and one that does not fit.
    """
    told = told_adapter(data)
    if told["base"] != base:
        raise RunError(
            f"adapter '{told['name']}' belongs to a run whose model.safetensors has the sha256 "
            f"{told['base'][:12]}..., and this run's has {base[:12]}...; give it the run that it "
            "was made from."
        )
    tensors = load(data)
    options = config.Adapter.model_validate(told["options"])
    ranks = told["ranks"] or None
    if options.method in AS_LORA:
        options = options.model_copy(update={"method": "lora"})
    attach(model, options, columns=told["columns"], ranks=ranks)
    own = model.state_dict()
    try:
        model.load_state_dict({n: t for n, t in tensors.items() if n in own}, strict=False)
        for name in model.adapted.layers if model.adapted else ():
            fill(model.get_submodule(name), name, tensors)
    except (KeyError, RuntimeError) as error:
        raise RunError(f"adapter '{told['name']}' does not fit this run: {error}") from error


def fill(layer: Any, name: str, tensors: Mapping[str, Tensor]) -> None:
    """Put what a file holds beside one layer."""
    if f"{name}.A" in tensors:
        (key,) = layer.scaling
        layer.scaling[key] = 1.0
        layer.lora_A[key].weight.copy_(tensors[f"{name}.A"])
        layer.lora_B[key].weight.copy_(tensors[f"{name}.B"])
    for path, held in values_of(layer):
        held.copy_(tensors[f"{name}.{path}"])
    for path, held in shared_by_all(layer):
        held.copy_(tensors[path])


def told_adapter(data: bytes) -> dict[str, Any]:
    """What an adapter's file says of itself: name, base, options, columns and ranks by layer;
    `kb`, its size in 1,000 bytes. RunError where it is none, or of a newer version.
    """
    try:
        length = int.from_bytes(data[:8], "little")
        told = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["adapter"])
    except (ValueError, KeyError, TypeError) as error:
        raise RunError("this file is no adapter: it does not say which run it is for.") from error
    if told["format"] > FORMAT:
        raise RunError(f"adapter '{told['name']}' is of a newer version; upgrade modalloy.")
    return told | {"kb": len(data) / 1000}
