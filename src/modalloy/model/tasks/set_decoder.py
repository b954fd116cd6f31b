"""Queries in, each with a first box; they look at a map and at one another, and their boxes move.

After Zhu et al. 2021 (Deformable DETR, 2010.04159): a query looks at a few places in and around its
box instead of at the whole map, so that few pictures suffice. What a query is told of its place are
the sines of its box (Liu et al. 2022, DAB-DETR, 2201.12329).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modalloy.model.layers.block import attention

HEADS, POINTS, LAYERS = 4, 4, 3
WAVES = 16  # sines and as many cosines of each of a box's four numbers
SMALLEST = 1e-3  # share of the picture's side that a box has at least


class SetDecoder(nn.Module):
    """A few layers, each of which says classes and boxes of all queries.

    classes: without "nothing", which is the last of the logits.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.place = nn.Sequential(nn.Linear(8 * WAVES, width), nn.ReLU(), nn.Linear(width, width))
        self.layers = nn.ModuleList(SetLayer(width, classes) for _ in range(LAYERS))

    def forward(
        self, x_BQF: Tensor, boxes_BQ4: Tensor, map_BFHW: Tensor
    ) -> list[tuple[Tensor, Tensor]]:
        """Logits (B, Q, C + 1) and boxes (B, Q, 4), middle and size, of each layer."""
        found = []
        for layer in self.layers:
            place_BQF = self.place(waves(boxes_BQ4))
            x_BQF, logits, moved = layer(x_BQF, place_BQF, boxes_BQ4, map_BFHW)
            found.append((logits, moved))
            boxes_BQ4 = moved.detach()  # each layer learns its own step
        return found


class SetLayer(nn.Module):
    """Queries look at one another, then each at places in and around its box."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        assert width % HEADS == 0, f"width {width} is not a multiple of {HEADS} heads"
        self.norm_among, self.norm_map = nn.LayerNorm(width), nn.LayerNorm(width)
        self.norm_mlp, self.norm_out = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.seen = nn.Conv2d(width, width, 1)
        self.offset = nn.Linear(width, HEADS * POINTS * 2)
        self.weight = nn.Linear(width, HEADS * POINTS)
        self.taken = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.classify = nn.Linear(width, classes + 1)
        step = nn.Linear(width, 4)
        self.move = nn.Sequential(nn.Linear(width, width), nn.ReLU(), step)
        for part in (self.offset.weight, self.weight.weight, self.weight.bias):
            nn.init.zeros_(part)
        for part in (step.weight, step.bias):
            nn.init.zeros_(part)  # begins where the first box is
        with torch.no_grad():
            self.offset.bias.copy_(rays().flatten())

    def forward(
        self, x_BQF: Tensor, place_BQF: Tensor, boxes_BQ4: Tensor, map_BFHW: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The queries after this layer, their logits and their boxes."""
        x_BQF = x_BQF + self.among(self.norm_among(x_BQF), place_BQF)
        x_BQF = x_BQF + self.at_places(self.norm_map(x_BQF) + place_BQF, boxes_BQ4, map_BFHW)
        x_BQF = x_BQF + self.down(F.gelu(self.up(self.norm_mlp(x_BQF))))
        z_BQF = self.norm_out(x_BQF)
        moved_BQ4 = (unsigmoid(boxes_BQ4) + self.move(z_BQF)).sigmoid()
        return x_BQF, self.classify(z_BQF), moved_BQ4.clamp(min=SMALLEST)

    def among(self, z_BQF: Tensor, place_BQF: Tensor) -> Tensor:
        """Attention of the queries to one another, so that two do not find the same box."""
        placed_BQF = z_BQF + place_BQF
        q, k, v = self.query(placed_BQF), self.key(placed_BQF), self.value(z_BQF)
        q, k, v = (x.unflatten(2, (HEADS, -1)).transpose(1, 2) for x in (q, k, v))
        return self.out(attention(q, k, v, None).transpose(1, 2).flatten(2))

    def at_places(self, z_BQF: Tensor, boxes_BQ4: Tensor, map_BFHW: Tensor) -> Tensor:
        """What the map holds at a few places a head, weighed; places lie by the box's size."""
        rows, queries, _ = z_BQF.shape
        offset = self.offset(z_BQF).view(rows, queries, HEADS, POINTS, 2)
        weight = self.weight(z_BQF).view(rows, queries, HEADS, POINTS).softmax(-1)
        middle, size = boxes_BQ4[:, :, None, None, :2], boxes_BQ4[:, :, None, None, 2:]
        at = middle + offset * size / 2
        grid = (2 * at - 1).transpose(1, 2).flatten(0, 1)  # (B h, Q, P, 2)
        seen = self.seen(map_BFHW).unflatten(1, (HEADS, -1)).flatten(0, 1)
        taken = F.grid_sample(seen, grid, mode="bilinear", align_corners=False)  # (B h, d, Q, P)
        summed = (taken * weight.transpose(1, 2).flatten(0, 1).unsqueeze(1)).sum(-1)
        return self.taken(summed.unflatten(0, (rows, HEADS)).flatten(1, 2).transpose(1, 2))


def rays() -> Tensor:
    """Where each head looks at first: outwards in its own direction, to the box's edge and half as
    far again, (h, P, 2)."""
    turn_h = torch.arange(HEADS) * 2 * math.pi / HEADS
    way_h2 = torch.stack([turn_h.cos(), turn_h.sin()], -1)
    far_P = torch.linspace(0, 1.5, POINTS)
    return way_h2[:, None] * far_P[None, :, None]


def waves(boxes_BQ4: Tensor) -> Tensor:
    """Sines and cosines of a box's middle and size at rising rates, (B, Q, 8 WAVES)."""
    rate_W = 2 * math.pi * torch.exp2(torch.linspace(-1, 5, WAVES, device=boxes_BQ4.device))
    angle = boxes_BQ4.unsqueeze(-1) * rate_W
    return torch.cat([angle.sin(), angle.cos()], -1).flatten(2)


def unsigmoid(share: Tensor) -> Tensor:
    """The number whose sigmoid is a share, kept from the ends."""
    share = share.clamp(1e-4, 1 - 1e-4)
    return (share / (1 - share)).log()
