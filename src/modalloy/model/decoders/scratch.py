"""A small transformer that writes a text while it looks at the tokens of a row, trained here."""

from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modalloy.model.decoders.decoder import Decoder, Going, Memory
from modalloy.model.layers.block import attention
from modalloy.model.layers.dropout import dropout

SIZES = {"small": (128, 2, 4), "base": (256, 4, 8)}  # width, blocks, heads
DROPOUT = 0.1

Pair = tuple[Tensor, Tensor]  # keys and values, (N, h, L, d) each


@dataclass
class ScratchGoing:
    """For each block the keys and values of what is written and of what is looked at."""

    written: list[Pair | None]
    seen: list[Pair]
    mask_NT: Tensor
    length: int = 0

    def take(self, index_N: Tensor) -> Self:
        """Some of the texts."""
        written = [None if p is None else (p[0][index_N], p[1][index_N]) for p in self.written]
        seen = [(k[index_N], v[index_N]) for k, v in self.seen]
        return type(self)(written, seen, self.mask_NT[index_N], self.length)


class ScratchDecoder(Decoder):
    """Pre-norm blocks of attention to what is written, attention to the row, and a small network
    (Vaswani et al. 2017, 1706.03762); the pieces' vectors are those of the output too.

    width: of the row's tokens. vocabulary: pieces. longest: pieces of a text, its end included.
    """

    def __init__(self, start: int, vocabulary: int, longest: int, width: int, size: str) -> None:
        super().__init__(start)
        self.logits = vocabulary
        own, blocks, heads = SIZES[size]
        # No nn.Embedding: its gradient comes from the output too, so every row of it has one. Small
        # at the start, or each piece would foretell itself.
        self.pieces_VF = nn.Parameter(torch.randn(vocabulary, own) * 0.02)
        self.places_LF = nn.Parameter(torch.randn(longest, own) * 0.02)
        self.blocks_ = nn.ModuleList(DecoderBlock(own, heads, width) for _ in range(blocks))
        self.norm = nn.LayerNorm(own)
        self.bias_V = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, memory: Memory, y_BL: Tensor) -> Tensor:
        """(B, L, V)."""
        x_BLF = self.embed(self.shifted(y_BL), 0)
        x_BLF = dropout(x_BLF, DROPOUT, self.training)
        for block in self.blocks_.children():
            assert isinstance(block, DecoderBlock)
            x_BLF, _ = block(x_BLF, block.look_at(memory.x_BTD), memory.mask_BT, None)
        return self.out(x_BLF)

    def begin(self, memory: Memory) -> ScratchGoing:
        """Keys and values of the row's tokens are worked out once."""
        blocks = [b for b in self.blocks_.children() if isinstance(b, DecoderBlock)]
        seen = [block.look_at(memory.x_BTD) for block in blocks]
        return ScratchGoing([None] * len(blocks), seen, memory.mask_BT)

    def step(self, going: Going, ids_N: Tensor) -> Tensor:
        """(N, V)."""
        assert isinstance(going, ScratchGoing)
        x_N1F = self.embed(ids_N.unsqueeze(1), going.length)
        for i, block in enumerate(self.blocks_.children()):
            assert isinstance(block, DecoderBlock)
            x_N1F, going.written[i] = block(x_N1F, going.seen[i], going.mask_NT, going.written[i])
        going.length += 1
        return self.out(x_N1F).squeeze(1)

    def embed(self, ids_BL: Tensor, first: int) -> Tensor:
        """Pieces and their places, (B, L, F)."""
        pieces_BLF = F.embedding(ids_BL, self.pieces_VF) * self.pieces_VF.shape[1] ** 0.5
        return pieces_BLF + self.places_LF[first : first + ids_BL.shape[1]]

    def out(self, x_BLF: Tensor) -> Tensor:
        """Logits of the next piece."""
        return F.linear(self.norm(x_BLF), self.pieces_VF, self.bias_V)


class DecoderBlock(nn.Module):
    """Attention to the pieces before, attention to a row's tokens, and a small network."""

    def __init__(self, width: int, heads: int, outside: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_own, self.norm_row, self.norm_mlp = (nn.LayerNorm(width) for _ in range(3))
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.ask, self.tell = nn.Linear(width, width), nn.Linear(width, width)
        self.row_key, self.row_value = nn.Linear(outside, width), nn.Linear(outside, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def look_at(self, x_BTD: Tensor) -> Pair:
        """Keys and values of a row's tokens, (B, h, T, d)."""
        return self.split(self.row_key(x_BTD)), self.split(self.row_value(x_BTD))

    def forward(
        self, x_BLF: Tensor, seen: Pair, mask_BT: Tensor, written: Pair | None
    ) -> tuple[Tensor, Pair]:
        """The pieces after the block, and keys and values of all that is written.

        written: of the pieces before these; with some, x holds one more piece.
        """
        h_BLF = self.norm_own(x_BLF)
        q, k, v = (self.split(linear(h_BLF)) for linear in (self.query, self.key, self.value))
        if written is not None:
            k, v = torch.cat([written[0], k], 2), torch.cat([written[1], v], 2)
        length = x_BLF.shape[1]
        back_LL = None
        if length > 1:
            back_LL = torch.ones(length, length, dtype=torch.bool, device=x_BLF.device).tril()
        x_BLF = x_BLF + self.drop(self.out(self.join(attention(q, k, v, back_LL))))
        asked = self.split(self.ask(self.norm_row(x_BLF)))
        told = attention(asked, *seen, mask_BT[:, None, None, :])
        x_BLF = x_BLF + self.drop(self.tell(self.join(told)))
        hidden = self.drop(F.gelu(self.up(self.norm_mlp(x_BLF))))
        return x_BLF + self.drop(self.down(hidden)), (k, v)

    def split(self, x_BLF: Tensor) -> Tensor:
        """Heads apart: (B, L, F) -> (B, h, L, F / h)."""
        return x_BLF.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def join(self, x_BhLd: Tensor) -> Tensor:
        """Heads side by side again."""
        return x_BhLd.transpose(1, 2).flatten(2)

    def drop(self, x: Tensor) -> Tensor:
        """Dropout in training."""
        return dropout(x, DROPOUT, self.training)
