"""Heads, neurons and channels of a network: where they are, and how they are taken out.

A unit is some features that one layer reads and nothing else does: the output of an attention head,
a hidden neuron of a feed-forward pair, a channel inside a residual block. So a unit can leave
together with all that makes it, and what is left computes the same as if the unit were silent.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from modalloy.model.body import Body
from modalloy.model.layers.block import Block, Residual
from modalloy.model.trunks.cnn import Stage
from modalloy.model.trunks.efficientnet import InvertedResidual
from modalloy.model.trunks.strided import Dilated

Kind = Literal["head", "neuron", "channel"]
Makers = nn.Linear | nn.Conv1d | nn.Conv2d | nn.BatchNorm1d | nn.BatchNorm2d


class Units(NamedTuple):
    """The units that one layer reads, `count` of them, each of `size` features side by side.

    reader: name of the layer in the model. makers: layers whose outputs are the units' own.
    attention: name of the module that counts its heads.
    """

    reader: str
    kind: Kind
    count: int
    size: int
    makers: tuple[str, ...]
    attention: str = ""

    @property
    def seen(self) -> str:
        """The module whose first argument the units are: the reader, or what runs its weights."""
        inverted = self.reader.endswith(".project.conv")
        return self.reader.removesuffix(".conv") if inverted else self.reader

    @property
    def channels(self) -> bool:
        """Whether they are the channels of a map, and so not its last dimension."""
        return self.reader.endswith(".conv")


class Names(NamedTuple):
    """Queries, keys, values and output of an attention; the output as seen from its parent."""

    makers: tuple[str, str, str]
    out: str


PROJ = ("q_proj", "k_proj", "v_proj")
BERT = Names(("query", "key", "value"), "output.dense")
# Attentions of transformers whose heads know nothing of one another. MPNet and DeBERTa share a
# table of places between heads and layers, ALBERT whole layers: their neurons alone can leave.
ATTENTIONS = {
    "BertSelfAttention": BERT,
    "RobertaSelfAttention": BERT,
    "XLMRobertaSelfAttention": BERT,
    "ElectraSelfAttention": BERT,
    "DistilBertSelfAttention": Names(("q_lin", "k_lin", "v_lin"), "attention.out_lin"),
    "ViTAttention": Names(PROJ, "attention.o_proj"),
    "Dinov2Attention": Names(PROJ, "attention.o_proj"),
    "CLIPAttention": Names(PROJ, "self_attn.out_proj"),
    "SiglipAttention": Names(PROJ, "self_attn.out_proj"),
    "DetrSelfAttention": Names(PROJ, "self_attn.o_proj"),
    "RTDetrSelfAttention": Names(PROJ, "self_attn.o_proj"),
    "Wav2Vec2Attention": Names(PROJ, "attention.out_proj"),
    "HubertAttention": Names(PROJ, "attention.out_proj"),
    "WhisperAttention": Names(PROJ, "self_attn.out_proj"),
    "PatchTSTAttention": Names(PROJ, "self_attn.out_proj"),
}
FEED_FORWARD = {  # the widening and the narrowing map, by the module that holds both
    "BertLayer": ("intermediate.dense", "output.dense"),
    "RobertaLayer": ("intermediate.dense", "output.dense"),
    "XLMRobertaLayer": ("intermediate.dense", "output.dense"),
    "ElectraLayer": ("intermediate.dense", "output.dense"),
    "MPNetLayer": ("intermediate.dense", "output.dense"),
    "DebertaV2Layer": ("intermediate.dense", "output.dense"),
    "AlbertLayer": ("ffn", "ffn_output"),
    "FFN": ("lin1", "lin2"),
    "ViTMLP": ("fc1", "fc2"),
    "Dinov2MLP": ("fc1", "fc2"),
    "CLIPMLP": ("fc1", "fc2"),
    "SiglipMLP": ("fc1", "fc2"),
    "DetrMLP": ("fc1", "fc2"),
    "RTDetrMLP": ("fc1", "fc2"),
    "Wav2Vec2FeedForward": ("intermediate_dense", "output_dense"),
    "HubertFeedForward": ("intermediate_dense", "output_dense"),
    "WhisperEncoderLayer": ("fc1", "fc2"),
    "PatchTSTEncoderLayer": ("ff.0", "ff.3"),
}
COUNTERS = ("num_attention_heads", "num_heads", "n_heads", "heads")


def units_of(model: Body) -> list[Units]:
    """All units inside the encoders of a model, in the order of the network.

    The fusion and the heads are left alone: they cost little and are the most sensitive. Layers
    that are no plain ones any more (adapters beside them, factors, sparse ones) have none.
    """
    found = []
    for name, module in model.named_modules():
        if name.startswith("encoders."):
            found += [u for u in units_in(model, name, module) if plain(model, u)]
    return found


def units_in(model: nn.Module, name: str, module: nn.Module) -> Iterator[Units]:
    """The units that a module itself holds."""
    match module:
        case Block():
            makers = tuple(f"{name}.{part}" for part in ("query", "key", "value"))
            yield heads_of(model, name, f"{name}.out", makers)
            yield neurons_of(model, f"{name}.up", f"{name}.down")
        case Residual():
            yield neurons_of(model, f"{name}.up", f"{name}.down")
        case Dilated():
            yield channels_of(model, f"{name}.out", (f"{name}.conv",))
        case Stage():
            for i in range(len(module.first)):
                makers = (f"{name}.first.{i}.conv", f"{name}.first.{i}.norm")
                yield channels_of(model, f"{name}.second.{i}.conv", makers)
        case InvertedResidual() if module.expand is not None:
            parts = ("expand.conv", "expand.norm", "depthwise.conv", "depthwise.norm")
            made = tuple(f"{name}.{part}" for part in parts)
            yield channels_of(model, f"{name}.project.conv", made)
        case _:
            kind, parent = type(module).__name__, name.rpartition(".")[0]
            if (names := ATTENTIONS.get(kind)) is not None:
                makers = tuple(f"{name}.{part}" for part in names.makers)
                yield heads_of(model, name, f"{parent}.{names.out}", makers)
            if kind in FEED_FORWARD:
                up, down = FEED_FORWARD[kind]
                yield neurons_of(model, f"{name}.{up}", f"{name}.{down}")


def heads_of(model: nn.Module, name: str, reader: str, makers: tuple[str, ...]) -> Units:
    """The heads of an attention."""
    attention = model.get_submodule(name)
    if "head_dim" in vars(attention):
        size = vars(attention)["head_dim"]
    elif "attention_head_size" in vars(attention):
        size = vars(attention)["attention_head_size"]
    else:
        size = width_in(model, reader) // vars(attention)["heads"]
    return Units(reader, "head", width_in(model, reader) // size, size, makers, name)


def neurons_of(model: nn.Module, up: str, down: str) -> Units:
    """The hidden neurons of a feed-forward pair."""
    return Units(down, "neuron", width_in(model, down), 1, (up,))


def channels_of(model: nn.Module, reader: str, makers: tuple[str, ...]) -> Units:
    """The channels inside a residual block."""
    return Units(reader, "channel", width_in(model, reader), 1, makers)


def width_in(model: nn.Module, name: str) -> int:
    """Features that a layer reads; 0 of a layer that is no plain one."""
    layer = model.get_submodule(name)
    if isinstance(layer, nn.Linear):
        return layer.in_features
    return layer.in_channels if isinstance(layer, nn.Conv1d | nn.Conv2d) else 0


def plain(model: nn.Module, units: Units) -> bool:
    """Whether all layers of some units are as PyTorch has them, and the units more than one."""
    layers = [model.get_submodule(n) for n in (units.reader, *units.makers)]
    own = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.BatchNorm1d, nn.BatchNorm2d)
    return units.count > 1 and all(type(layer) in own for layer in layers)


@torch.no_grad()
def take_out(model: nn.Module, units: Units, kept: Sequence[int]) -> None:
    """Leave these units alone of all, in place; kept: their numbers, rising."""
    assert kept, "a layer that reads nothing has no meaning"
    index_n = torch.tensor(kept, dtype=torch.long)
    index_F = (index_n[:, None] * units.size + torch.arange(units.size)).flatten()
    for name in units.makers:
        keep_outputs(model.get_submodule(name), index_F)
    keep_inputs(model.get_submodule(units.reader), index_F)
    if units.attention:
        attention = model.get_submodule(units.attention)
        for counter in COUNTERS:
            if counter in vars(attention):
                setattr(attention, counter, len(kept))


def keep_outputs(layer: nn.Module, index_F: Tensor) -> None:
    """Cut a layer to some of its outputs."""
    assert isinstance(layer, Makers)
    cut(layer, ("weight", "bias", "running_mean", "running_var"), index_F, 0)
    match layer:
        case nn.Linear():
            layer.out_features = len(index_F)
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            layer.num_features = len(index_F)
        case nn.Conv1d() | nn.Conv2d():
            layer.out_channels = len(index_F)
            if layer.groups > 1:  # each channel on its own
                layer.in_channels = layer.groups = len(index_F)


def keep_inputs(layer: nn.Module, index_F: Tensor) -> None:
    """Cut a layer to some of its inputs."""
    assert isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d)
    cut(layer, ("weight",), index_F, 1)
    if isinstance(layer, nn.Linear):
        layer.in_features = len(index_F)
    else:
        layer.in_channels = len(index_F)


def cut(layer: nn.Module, names: Sequence[str], index_F: Tensor, dim: int) -> None:
    """Cut parameters and buffers of a layer along one dimension."""
    for name in names:
        held = getattr(layer, name, None)
        if isinstance(held, nn.Parameter):
            kept = held.detach().index_select(dim, index_F.to(held.device)).clone()
            setattr(layer, name, nn.Parameter(kept, requires_grad=held.requires_grad))
        elif isinstance(held, Tensor):
            setattr(layer, name, held.index_select(dim, index_F.to(held.device)).clone())


def shrink(model: Body, counts: Mapping[str, int]) -> None:
    """Give the units of a model the shapes that a pruned one has; weights come from its file.

    counts: reader -> units that are left.
    """
    by_reader = {u.reader: u for u in units_of(model)}
    for reader, count in counts.items():
        take_out(model, by_reader[reader], range(count))
