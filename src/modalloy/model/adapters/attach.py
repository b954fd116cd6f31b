"""Puts small parts beside the layers of a model, folds them into the weights, or takes them off."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import nn

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.machine.imports import require
from modalloy.model.adapted import Adapted, Place, inside
from modalloy.model.adapters.adalora import Allocation
from modalloy.model.adapters.methods import put
from modalloy.model.adapters.places import column_options, layers_of, ranks_of
from modalloy.model.adapters.product import Parts, layer_of, product
from modalloy.model.body import Body
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.layers.named import key
from modalloy.model.layers.scale import Standardise
from modalloy.model.model import Model
from modalloy.model.tasks.task import Task
from modalloy.readers.batch import TABLE, unknown

HEADS = ("tasks", "auxiliary", "consistency")
BESIDE = ("lora", "rslora", "dora", "pissa", "adalora", "ia3", "vera", "layernorm")
FIGURES = (nn.BatchNorm1d, nn.BatchNorm2d, Standardise)  # keep running figures of what they see


def attach(
    model: Model,
    options: config.Adapter,
    *,
    columns: Sequence[str] | None = None,
    ranks: Mapping[str, int] | None = None,
) -> list[str]:
    """Let a finished model learn in one way alone: its heads, and what the method adds to them.

    columns: whose encoders are adapted; None for all of them and the fusion. ranks: of each layer,
    where they are shared out (`budget.py`); layers without one are left as they are.

    Answers the names of the layers that are changed. JobError for a method that a network cannot
    take, a rank above its layers', more last blocks than there are, and an unknown column.
    """
    assert model.adapted is None, "merge or detach first"
    places = tuple(places_of(model, options, columns))
    learning = [p for p in model.parameters() if p.requires_grad]
    named = None if columns is None else tuple(columns)
    model.adapted = adapted = Adapted(places, {}, learning, columns=named)
    try:
        if options.method in BESIDE:
            put_beside(model, adapted, ranks)
            wanted = own_parameters(model, adapted)
        else:
            wanted = blocks_that_learn(model, adapted)
    except JobError:
        detach(model)
        raise
    heads = [p for n, p in model.named_parameters() if is_head(model, n)]
    learn_only(model, [*wanted, *heads])
    if options.method != "full":
        parts = (m for n, m in model.named_children() if n not in HEADS)
        adapted.still = [m for part in parts for m in part.modules() if isinstance(m, FIGURES)]
    model.train(model.training)
    return list(adapted.layers)


def attach_tuned(model: Body) -> list[str]:
    """Put parts beside the layers of what the model's job tunes so (`tune: lora`); all else of it
    learns as it did. The names of the layers that are changed.

    JobError as in `attach`.
    """
    job, found = model.job, []
    for name, encoder in model.encoders.items():
        options = job.columns.get(name)
        if isinstance(options, config.Trunk) and options.tune in BESIDE:
            root = name_of(model, encoder.network)
            found.append(
                Place(root, f"columns.{name}", column_options(options.adapter, options.tune))
            )
    for name, network in decoders_of(model).items():
        tuned = job.tasks[name].tuned
        if tuned is not None and tuned[0] in BESIDE:
            own = column_options(tuned[1], tuned[0])
            found.append(Place(name_of(model, network), f"tasks.{name}", own))
    if job.fuse.tune in BESIDE:
        found.append(Place("fusion", "fuse", column_options(job.fuse.adapter, job.fuse.tune)))
    if not found:
        return []
    learning = [p for p in model.parameters() if p.requires_grad]
    model.adapted = adapted = Adapted(tuple(found), {}, learning)
    roots = [model.get_submodule(place.root) for place in found]
    held = {id(p) for root in roots for p in root.parameters()}
    try:
        put_beside(model, adapted, None)
    except JobError:
        detach(model)
        raise
    rest = [p for p in learning if id(p) not in held]
    learn_only(model, [*own_parameters(model, adapted), *rest])
    adapted.still = [m for root in roots for m in root.modules() if isinstance(m, FIGURES)]
    model.train(model.training)
    return list(adapted.layers)


def places_of(
    model: Model, options: config.Adapter, columns: Sequence[str] | None
) -> Iterator[Place]:
    """The networks of these columns' encoders; of all, and the fusion, where none is named."""
    known = {**dict.fromkeys(model.readers, TABLE), **{i: i for i in model.inputs}}
    for name in columns or ():
        if name not in known:
            raise JobError(unknown("column", name, model.readers))
    wanted = None if columns is None else {model.shared.get(known[c], known[c]) for c in columns}
    for name, encoder in model.encoders.items():
        if wanted is None or name in wanted:
            whose = "number, category and time columns" if name == TABLE else f"columns.{name}"
            yield Place(name_of(model, encoder.network), whose, options)
    if wanted is None:
        yield Place("fusion", "fuse", options)
        for name, network in decoders_of(model).items():
            yield Place(name_of(model, network), f"tasks.{name}", options)


def decoders_of(model: Body) -> dict[str, nn.Module]:
    """The pretrained networks inside heads that may be adapted, by task."""
    found = {name: head.network for name, head in heads_of(model).items()}
    return {name: network for name, network in found.items() if network is not None}


def heads_of(model: Body) -> dict[str, Task]:
    """Heads that may have a pretrained network inside, by task; a body has none."""
    if not isinstance(model, Model):
        return {}
    return {name: head for name, head in model.tasks.items() if isinstance(head, Task)}


def is_head(model: Model, name: str) -> bool:
    """Whether weights are a head's own, and not of a pretrained network inside it."""
    roots = (f"tasks.{key(n)}" for n, head in heads_of(model).items() if head.trunk is not None)
    return name.startswith(HEADS) and not any(inside(name, f"{r}.decoder.trunk") for r in roots)


def put_beside(model: Body, adapted: Adapted, ranks: Mapping[str, int] | None) -> None:
    """Put the parts of each place beside its layers; places of the same options share a tuner."""
    require("peft", "adapt", "learning beside the layers of a network")
    named: dict[str, str] = {}
    for number, (options, group) in enumerate(alike(adapted.places)):
        layers = [(p, layers_of(model, p)) for p in group]
        found = [f for _, some in layers for f in some]
        if ranks is None:
            wanted = {n: r for p, some in layers for n, r in ranks_of(p, some).items()}
        else:
            wanted = {f.name: ranks[f.name] for f in found if ranks.get(f.name)}
            found = [f for f in found if f.name in wanted]
        if not found:
            continue
        if options.method == "pissa":
            adapted.original |= {f.name: kept(f.layer) for f in found}
        name = f"{options.method}{number:02d}"  # peft looks for `lora_` in names
        adapted.tuners[name] = put(model, options, found, wanted, name)
        adapted.layers |= wanted
        named |= dict.fromkeys(wanted, name)
        if options.method == "adalora":
            if model.allocation is not None:
                raise JobError(
                    f"{group[0].whose}: all that is tuned by adalora shares one budget of ranks; "
                    "give it the same adapter options everywhere"
                )
            model.allocation = Allocation(model, adapted.tuners[name])
        if options.method == "pissa":
            begun = {f.name: product(layer_of(model, f.name), None) for f in found}
            adapted.first |= {n: Parts(*(t.detach().clone() for t in p)) for n, p in begun.items()}
    for layer, name in named.items():  # peft has put all to sleep that the last call did not make
        layer_of(model, layer).set_adapter(name)
    for encoder in model.encoders.values():
        own = encoder.network
        encoder.adapted = own is not encoder and any(
            m is not own and beside(m) for m in own.modules()
        )


def alike(places: Iterable[Place]) -> Iterator[tuple[config.Adapter, list[Place]]]:
    """Places by their options."""
    key = {p: p.options.model_dump_json() for p in places}
    for _, group in groupby(sorted(places, key=key.__getitem__), key=key.__getitem__):
        some = list(group)
        yield some[0].options, some


def kept(layer: nn.Module) -> torch.Tensor:
    """A copy of a layer's weights."""
    return layer.get_parameter("weight").detach().clone()


def beside(module: nn.Module) -> bool:
    """Whether a module is a layer with a part beside it."""
    return hasattr(module, "base_layer") and hasattr(module, "merged_adapters")


def own_parameters(model: Body, adapted: Adapted) -> list[nn.Parameter]:
    """What a method has added to the layers of a model and learns."""
    return [p for p, _ in own_by_method(model, adapted)]


def own_by_method(model: Body, adapted: Adapted) -> Iterator[tuple[nn.Parameter, str]]:
    """The same, each with the method that it belongs to."""
    for layer in adapted.layers:
        method = adapted.place_of(layer).options.method
        for name, p in model.get_submodule(layer).named_parameters():
            if not name.startswith(("base_layer.", "ranknum.")):
                yield p, method


def blocks_that_learn(model: Model, adapted: Adapted) -> list[nn.Parameter]:
    """Parameters that learn under `head`, `last_n` and `full` beside the heads."""
    options = adapted.places[0].options if adapted.places else config.Adapter(method="head")
    match options.method:
        case "full":
            return list(model.parameters())
        case "last_n":
            return [p for place in adapted.places for p in last_blocks(model, place)]
        case _:
            return []


def last_blocks(model: Model, place: Place) -> list[nn.Parameter]:
    """Parameters of the last blocks of a place; of all of it where it has no blocks."""
    root = model.get_submodule(place.root)
    parts = [*model.encoders.values(), *heads_of(model).values()]
    owners = [part.blocks for part in parts if part.network is root]
    blocks = owners[0] if owners else []
    if not blocks:
        return list(root.parameters())
    if place.options.last_n > len(blocks):
        raise JobError(
            f"{place.whose}: has {len(blocks)} blocks, not {place.options.last_n}; ask for fewer "
            "with last_n, or take the method full"
        )
    return [p for block in blocks[-place.options.last_n :] for p in block.parameters()]


def learn_only(model: nn.Module, wanted: Iterable[nn.Parameter]) -> None:
    """Let these parameters learn and no others."""
    ids = {id(p) for p in wanted}
    for p in model.parameters():
        p.requires_grad_(id(p) in ids)


def name_of(model: nn.Module, module: nn.Module) -> str:
    """The dotted name of a module in a model."""
    return next(name for name, found in model.named_modules() if found is module)


@torch.no_grad()
def merge(model: Body) -> None:
    """Fold what was learned beside the layers into their weights: the model is plain again.

    Answers differ from those before by rounding alone (1e-5 and less in float32).
    """
    finish(model, keep=True)


@torch.no_grad()
def detach(model: Body) -> None:
    """Take off what stands beside the layers: their weights are as they were, bit for bit.

    What else has learned (heads, blocks) keeps what it has learned.
    """
    finish(model, keep=False)


def finish(model: Body, *, keep: bool) -> None:
    """Put the layers themselves back in their places, with what was learned beside them or not."""
    adapted = model.adapted
    if adapted is None:
        return
    if isinstance(model.allocation, Allocation) and keep:
        model.allocation.settle(model)
    for name in adapted.layers:
        layer = layer_of(model, name)
        base = layer.get_submodule("base_layer")
        if keep:
            fold(layer, base)
        elif name in adapted.original:
            base.get_parameter("weight").copy_(adapted.original[name])
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, base)
    for encoder in model.encoders.values():
        encoder.adapted = False
    learn_only(model, adapted.learning)
    model.adapted = model.allocation = None
    model.train(model.training)


def fold(layer: Any, base: nn.Module) -> None:
    """Fold what stands beside a layer into its weights, in place."""
    tuned = getattr(layer, "ln_tuning_layers", None)
    if isinstance(tuned, nn.ModuleDict):  # peft would put the copy in the place of the layer
        (copy,) = tuned.values()
        for own, learned in zip(base.parameters(), copy.parameters(), strict=True):
            own.copy_(learned)
        return
    layer.merge()


def column_of(model: Body, layer: str) -> str:
    """The input or task whose network a layer belongs to; `fusion` where it is of no single one."""
    for name, encoder in model.encoders.items():
        if inside(layer, name_of(model, encoder)):
            return name
    for name, network in decoders_of(model).items():
        if inside(layer, name_of(model, network)):
            return name
    return "fusion"


def encoders_of(model: Model) -> dict[str, Encoder]:
    """Encoders that are adapted now, by input."""
    return {name: e for name, e in model.encoders.items() if e.adapted}
