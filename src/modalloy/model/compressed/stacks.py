"""Lists of transformer blocks inside encoders, and what one block of each family consists of."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from modalloy.model.body import Body
from modalloy.model.layers.block import Block


class Parts(NamedTuple):
    """Names inside a pre-norm block: norm, attention, its four maps, scale; norm, rest, scale.

    A name that is empty stands for nothing at all.
    """

    norm: str
    attention: str
    maps: tuple[str, str, str, str]
    scale: str
    norm_after: str
    rest: str
    scale_after: str


PROJ = ("q_proj", "k_proj", "v_proj")
CLIP = Parts("layer_norm1", "self_attn", (*PROJ, "out_proj"), "", "layer_norm2", "mlp", "")
PRE_NORM = {
    "ViTLayer": Parts(
        "layernorm_before", "attention", (*PROJ, "o_proj"), "", "layernorm_after", "mlp", ""
    ),
    "Dinov2Layer": Parts(
        "norm1", "attention", (*PROJ, "o_proj"), "layer_scale1", "norm2", "mlp", "layer_scale2"
    ),
    "CLIPEncoderLayer": CLIP,
    "SiglipEncoderLayer": CLIP,
    "Block": Parts(
        "norm_attention", "", ("query", "key", "value", "out"), "", "norm_mlp", "down", ""
    ),
}
# Blocks that are called with states and a mask and give states, and know nothing of one another.
SINGLE = (
    *PRE_NORM,
    "BertLayer",
    "RobertaLayer",
    "XLMRobertaLayer",
    "ElectraLayer",
    "TransformerBlock",
)


def stacks_of(model: Body, kinds: tuple[str, ...]) -> dict[str, nn.ModuleList]:
    """Lists of at least two blocks of these kinds inside the encoders of a model, by name."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList)
        and name.startswith("encoders.")
        and len(module) > 1
        and all(type(block).__name__ in kinds for block in module)
    }


def replace_stack(model: nn.Module, name: str, stack: nn.Module) -> None:
    """Let one module stand for a list of blocks: whoever runs the list runs it alone."""
    parent, _, own = name.rpartition(".")
    old = model.get_submodule(name)
    device = next(old.parameters()).device
    single = nn.ModuleList([stack]).train(old.training).to(device)
    setattr(model.get_submodule(parent), own, single)


def part(block: nn.Module, name: str) -> nn.Module:
    """A part of a block by its name; nothing at all for an empty one."""
    return block.get_submodule(name) if name else nn.Identity()


def heads_apart(block: nn.Module, x_BTD: Tensor) -> Tensor:
    """(B, T, h d) -> (B, h, T, d), by what the block's attention says of its heads."""
    if isinstance(block, Block):
        return block.split(x_BTD)
    attention = block.get_submodule(PRE_NORM[type(block).__name__].attention)
    return x_BTD.unflatten(2, (-1, vars(attention)["head_dim"])).transpose(1, 2)


def tokens_of(mask: Tensor | None, x_BTD: Tensor) -> Tensor | None:
    """Which tokens exist, (B, T), from a mask of any form; None where all do."""
    if mask is None or mask.ndim == 2:
        return mask
    last_BT = mask[:, 0, -1]  # what the last place looks at is all that there is
    seen_BT = last_BT if last_BT.dtype == torch.bool else last_BT >= 0
    return seen_BT.expand(x_BTD.shape[0], -1)  # its length would be a constant in a graph
