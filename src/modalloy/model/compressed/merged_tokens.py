"""Token merging (ToMe, Bolya et al. 2023, 2210.09461): blocks join tokens that say the same.

After the attention of each block some tokens of the even places join the token of an odd place
whose key is most like theirs, the most alike first; a token then stands for several and is heard as
loudly (proportional attention). Behind the last block each place gets the state of the token that
it joined, so that nothing outside notices. A class token, at place 0, joins none.

Beside the article, rows may be of different lengths: a row's own tokens stay in front and in their
order, its places are counted without the padding, and at least half of its tokens are left by each
block. So it is answered alone as in any batch.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modalloy.model.body import Body
from modalloy.model.compressed.stacks import (
    PRE_NORM,
    heads_apart,
    part,
    replace_stack,
    stacks_of,
    tokens_of,
)
from modalloy.model.layers.block import Block

KINDS = tuple(PRE_NORM)
LATER = 1e-6  # by how much less alike a token counts for each one before it


class MergingStack(nn.Module):
    """Blocks one after the other, each of which merges `merged` tokens unless it trains."""

    def __init__(self, blocks: Iterable[nn.Module], merged: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.merged = merged

    def forward(self, x_BTD: Tensor, mask: Tensor | None = None, **rest: object) -> Tensor:
        """The states after all blocks, (B, T, D). mask: tokens that exist, the first ones of each
        row, (B, T) or (B, 1, T, T) as transformers has it; None for all.
        """
        if self.training or not self.merged:
            for block in self.blocks:
                x_BTD = block(x_BTD, mask, **rest)
            return x_BTD
        rows, count = x_BTD.shape[:2]
        real_BT = tokens_of(mask, x_BTD)
        size_BT = x_BTD.new_ones(rows, count) if real_BT is None else real_BT.to(x_BTD.dtype)
        place_BT = torch.arange(count, device=x_BTD.device).expand(rows, -1)
        for block in self.blocks:
            x_BTD, key_BTd = attend(block, x_BTD, size_BT)
            merged = merge(x_BTD, key_BTd, size_BT, self.merged)
            x_BTD, size_BT = merged.x_BTD, merged.size_BT
            place_BT = merged.place_BT.gather(1, place_BT)
            x_BTD = think(block, x_BTD)
        return x_BTD.gather(1, place_BT.unsqueeze(2).expand(-1, -1, x_BTD.shape[2]))


def attend(block: nn.Module, x_BTD: Tensor, size_BT: Tensor) -> tuple[Tensor, Tensor]:
    """States after the attention of a block, in which tokens count by their size; and what keys are
    alike by, (B, T, d).
    """
    parts = PRE_NORM[type(block).__name__]
    attention = part(block, parts.attention) if parts.attention else block
    query, key, value, out = (attention.get_submodule(name) for name in parts.maps)
    z_BTD = part(block, parts.norm)(x_BTD)
    q, k, v = (heads_apart(block, linear(z_BTD)) for linear in (query, key, value))
    loud_B11T = size_BT.log()[:, None, None, :]
    heard = F.scaled_dot_product_attention(q, k, v, attn_mask=loud_B11T)
    heard_BTD = out(heard.transpose(1, 2).flatten(2))
    return x_BTD + part(block, parts.scale)(heard_BTD), k.mean(1)


def think(block: nn.Module, x_BTD: Tensor) -> Tensor:
    """States after the second half of a block, token by token."""
    parts = PRE_NORM[type(block).__name__]
    z_BTD = part(block, parts.norm_after)(x_BTD)
    if isinstance(block, Block):
        z_BTD = F.gelu(block.up(z_BTD))
    return x_BTD + part(block, parts.scale_after)(part(block, parts.rest)(z_BTD))


class Merged(NamedTuple):
    """What is left of some tokens: states, sizes, and which of them each token before is now."""

    x_BTD: Tensor
    size_BT: Tensor
    place_BT: Tensor


def merge(x_BTD: Tensor, key_BTd: Tensor, size_BT: Tensor, merged: int) -> Merged:
    """Join so many tokens of each row, but leave at least half. size_BT: 0 of padding, which lies
    behind; padding is dropped where a row has too few tokens to join.
    """
    rows, count, width = x_BTD.shape
    at_BT = torch.arange(count, device=x_BTD.device).expand(rows, -1)
    if count < 3:  # one is the first, and one is there to be joined
        return Merged(x_BTD, size_BT, at_BT)
    going = int_min(merged, (count - 1) // 2)
    key_BTd = F.normalize(key_BTd, dim=-1)
    real_BT = size_BT > 0
    alike_BEO = key_BTd[:, ::2] @ key_BTd[:, 1::2].transpose(1, 2)
    alike_BEO = alike_BEO.masked_fill(~real_BT[:, None, 1::2], -2.0)
    best_BE, partner_BE = alike_BEO.max(2)
    best_BE = best_BE.masked_fill(~real_BT[:, ::2], -3.0)  # padding goes after all that is real
    first_E = torch.arange(best_BE.shape[1], device=x_BTD.device) == 0
    best_BE = best_BE.masked_fill(first_E, -4.0)
    # Of tokens that are alike the first goes: kernels break ties each in its own way.
    later_E = LATER * torch.arange(best_BE.shape[1], device=x_BTD.device)
    going_Bm = (best_BE - later_E).topk(going, 1).indices
    # Where each token goes: to itself, or to its partner.
    to_BT = at_BT.scatter(1, 2 * going_Bm, 2 * partner_BE.gather(1, going_Bm) + 1)
    gone_BT = torch.zeros_like(real_BT).scatter(1, 2 * going_Bm, torch.ones_like(going_Bm).bool())
    index_BTD = to_BT.unsqueeze(2).expand(-1, -1, width)
    sum_BTD = torch.zeros_like(x_BTD).scatter_add(1, index_BTD, x_BTD * size_BT.unsqueeze(2))
    total_BT = torch.zeros_like(size_BT).scatter_add(1, to_BT, size_BT)
    # Real tokens in front in their order, then padding, then what went.
    order_BT = (at_BT + count * (~real_BT).long() + 2 * count * gone_BT.long()).argsort(1)
    new_BT = torch.zeros_like(order_BT).scatter(1, order_BT, at_BT)
    left_BT = order_BT[:, : count - going]
    size_BT = total_BT.gather(1, left_BT)
    x_BTD = sum_BTD.gather(1, left_BT.unsqueeze(2).expand(-1, -1, width))
    return Merged(x_BTD / size_BT.clamp_min(1.0).unsqueeze(2), size_BT, new_BT.gather(1, to_BT))


def int_min(a: int, b: int) -> int:
    """The smaller one, also of counts that a graph leaves open."""
    return torch.sym_min(a, b)  # pyrefly: ignore[bad-return] whole numbers in, one of them out


def merge_in(model: Body, merged: Mapping[str, int]) -> None:
    """Let these lists of blocks merge so many tokens a block, in place."""
    stacks = stacks_of(model, KINDS)
    for name, count in merged.items():
        replace_stack(model, name, MergingStack(stacks[name], count))
